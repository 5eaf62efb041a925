import { manifestName, walFileOf } from '../place/contract/names.js'
import { mostBytes } from '../system/files/read-small.js'
import type { BytePath } from '../system/paths/byte-path.js'
import { packingAt } from '../wal-segments/segment-file.js'
import { segmentIn } from '../wal-segments/segment-forms.js'

/** What gzip adds to bytes that cannot be made fewer. */
const gzipSlack = 1 << 20

/**
 * The bytes that a file of a backup has at most, by its name: what the manifest says; a segment's size; and for what is neither, a
 * configuration file or a note, as much as such a file has. More is never taken from a source.
 * @param sizes what the manifest says; undefined before it has come.
 */
export function limitOf(
  name: BytePath,
  sizes: ReadonlyMap<BytePath, number> | undefined,
  segmentSize: number,
): number {
  if (name === manifestName) return mostBytes.manifest
  const said = sizes?.get(name)
  if (said !== undefined) return said
  const file = walFileOf(name) ?? ''
  if (segmentIn(file) === undefined) return mostBytes.conf
  return packingAt(file) ? segmentSize + gzipSlack : segmentSize
}
