import { lstatSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import type { Context } from '../context.js'
import { measureTree } from '../system/files/measure.js'
import { readPiece } from '../system/files/read-small.js'
import { walkTree } from '../system/files/walk-tree.js'
import { bytePath, isText, shownPath, systemPath } from '../system/paths/byte-path.js'

/** What is compressed at a time: an image takes twice as much, and is hardly smaller for it. */
const block = 64 << 10
/** So many blocks from all over the snapshot are looked at. */
const samples = 256

export interface EstimatedSaving {
  /** What the snapshot takes as a directory. */
  bytes: number
  /** About how many of them it does not take when it is packed. */
  savedBytes: number
}

/**
 * About how many bytes fewer a snapshot takes when it is packed: some of its blocks are compressed, with zlib, whose quickest level makes nearly
 * the same of pages as zstd's. An image has equal files once (the catalogs of template databases), which makes small ones smaller still.
 * @throws a system error; the signal's reason when aborted.
 */
export async function estimateSaving(
  snapshot: string,
  { signal }: Pick<Context, 'signal'>,
): Promise<EstimatedSaving> {
  const { bytes } = await measureTree(snapshot)
  const every = Math.max(block, bytes / samples)
  let [start, next, count, sum] = [0, 0, 0, 0]
  const look = (path: string, size: number) => {
    for (; next < start + size; next += every) {
      const piece = readPiece(path, Math.floor((next - start) / block) * block, block)
      if (piece.length === 0) continue
      count++
      // Each stands for as many bytes as all others, however small the file that it is from.
      sum += Math.min(1, deflateRawSync(piece, { level: 1 }).length / piece.length)
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
  return { bytes, savedBytes: count === 0 ? 0 : Math.round(bytes * (1 - sum / count)) }
}
