import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import type { Listing } from '../place/contract/listing.js'
import {
  linkedTablespacesIn,
  manifestName,
  nameInBackup,
  someOf,
  walFileOf,
} from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { neededDirectories } from '../snapshot/data-directories.js'
import { exemptFromManifest, visitManifest } from '../snapshot/manifest/manifest.js'
import { mostBytes } from '../system/files/read-small.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { packingAt } from '../wal-segments/segment-file.js'
import { segmentIn } from '../wal-segments/segment-forms.js'

/**
 * Whether a source has all that the manifest names, which has just come: a copy by other tools may be half there.
 * @param directory of the download.
 * @returns the bytes of each file that the manifest names, by its name in the backup.
 * @throws {PgbkError} `damaged`, also for a manifest that is not as PostgreSQL writes it; the signal's reason when aborted.
 */
export async function checkListed(
  directory: string,
  listing: Listing,
  { name: source }: Place,
  signal: AbortSignal,
): Promise<Map<BytePath, number>> {
  const here = new Set([...listing.directories, ...listing.files])
  const linked = linkedTablespacesIn(listing)
  const missing = neededDirectories
    .map((name) => bytePath(`snapshot/data/${name}`))
    .filter((name) => !here.has(name))
  const sizes = new Map<BytePath, number>()
  await visitManifest(join(directory, manifestName), (file) => {
    signal.throwIfAborted()
    const name = nameInBackup(file.path, linked)
    sizes.set(name, file.size)
    if (!here.has(name) && !exemptFromManifest.has(file.path)) missing.push(name)
  })
  if (missing.length === 0) return sizes
  throw new PgbkError('damaged', `the backup in ${source} is incomplete: it lacks ${someOf(missing)}`, {
    hint: 'Was it copied there by a program that was interrupted? Choose another backup (pgbk list --from).',
  })
}

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
