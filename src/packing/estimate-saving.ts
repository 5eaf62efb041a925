import { deflateRawSync } from 'node:zlib'
import type { Context } from '../context.js'
import { sampleTree } from '../system/files/sample-tree.js'

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
 * @param pieces so many blocks are compressed; a hundred take a tenth of a second.
 * @throws a system error; the signal's reason when aborted.
 */
export async function estimateSaving(
  snapshot: string,
  { signal }: Pick<Context, 'signal'>,
  pieces = samples,
): Promise<EstimatedSaving> {
  let [count, sum] = [0, 0]
  const bytes = await sampleTree(snapshot, { pieces, size: block, signal }, ({ bytes: piece }) => {
    count++
    sum += Math.min(1, deflateRawSync(piece, { level: 1 }).length / piece.length)
  })
  return { bytes, savedBytes: count === 0 ? 0 : Math.round(bytes * (1 - sum / count)) }
}
