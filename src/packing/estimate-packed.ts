import { lstatSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import type { Context } from '../context.js'
import { measureTree } from '../system/files/measure.js'
import { readPiece } from '../system/files/read-small.js'
import { walkTree } from '../system/files/walk-tree.js'
import { bytePath, isText, shownPath, systemPath } from '../system/paths/byte-path.js'

/** What an image compresses at a time. */
const block = 128 << 10
/** So many blocks from all over the snapshot are looked at. */
const samples = 128

/**
 * About how many bytes a snapshot takes when it is packed: some of its blocks are compressed, with zlib, whose quickest level makes nearly
 * the same of pages as zstd's.
 * @throws a system error; the signal's reason when aborted.
 */
export async function estimatePacked(snapshot: string, { signal }: Pick<Context, 'signal'>): Promise<number> {
  const { bytes } = await measureTree(snapshot)
  const every = Math.max(block, bytes / samples)
  let [start, next, read, packed] = [0, 0, 0, 0]
  const look = (path: string, size: number) => {
    for (; next < start + size; next += every) {
      const piece = readPiece(path, Math.floor((next - start) / block) * block, block)
      read += piece.length
      packed += Math.min(piece.length, deflateRawSync(piece, { level: 1 }).length)
    }
    start += size
  }
  await walkTree(
    bytePath(snapshot),
    ({ path, kind }) => {
      if (kind.isFile() && isText(path)) look(shownPath(path), lstatSync(systemPath(path)).size)
    },
    { signal },
  )
  return read === 0 ? 0 : Math.round((bytes * packed) / read)
}
