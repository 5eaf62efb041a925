import { statSync } from 'node:fs'
import { piecesOf } from '../system/files/read-small.js'
import type { ArchivedSegment } from './archive-segments.js'
import { segmentPieces, withSegmentFile } from './segment-file.js'
import { isFinished, packingOf } from './segment-forms.js'
import { NotUnpacked, type Unpacking } from './unpacked-pieces.js'
import { writtenTo } from './written-to.js'

/**
 * Whether two archives have the same in a segment, up to a byte of it or to where one that is unfinished has been written to.
 * `unreadable` when one of them cannot be unpacked.
 */
export async function sameContent(
  one: ArchivedSegment,
  other: ArchivedSegment,
  { segmentSize, upTo = segmentSize, env, signal }: Unpacking & { segmentSize: number; upTo?: number },
): Promise<'same' | 'different' | 'unreadable'> {
  const begun = [one, other].filter((segment) => !isFinished(segment))
  const most = Math.min(upTo, ...begun.map(writtenTo))
  try {
    return await withSegmentFile(one, (path) =>
      withSegmentFile(other, async (otherPath) => {
        if (isSameFile(path, otherPath)) return 'same'
        if (packingOf(one.form) && one.form === other.form && one.bytes === other.bytes) {
          const pieces = [piecesOf(path), piecesOf(otherPath)] as const
          if (await areEqual(...pieces, one.bytes)) return 'same'
        }
        const unpacked = (of: string) => segmentPieces(of, segmentSize, { env, signal })
        return (await areEqual(unpacked(path), unpacked(otherPath), most)) ? 'same' : 'different'
      }),
    )
  } catch (error) {
    if (error instanceof NotUnpacked) return 'unreadable'
    throw error
  }
}

/** Two names of one file, after its archive was moved. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [statSync(one), statSync(other)]
  return first.ino === second.ino && first.dev === second.dev
}

/** Compares so many bytes; what ends before is not equal. */
async function areEqual(
  one: AsyncIterable<Buffer>,
  other: AsyncIterable<Buffer>,
  most: number,
): Promise<boolean> {
  const [first, second] = [one[Symbol.asyncIterator](), other[Symbol.asyncIterator]()]
  let [left, here, there]: [number, Buffer, Buffer] = [most, Buffer.alloc(0), Buffer.alloc(0)]
  try {
    while (left > 0) {
      if (here.length === 0) here = (await first.next()).value ?? Buffer.alloc(0)
      if (there.length === 0) there = (await second.next()).value ?? Buffer.alloc(0)
      const count = Math.min(here.length, there.length, left)
      if (count === 0 || !here.subarray(0, count).equals(there.subarray(0, count))) return false
      ;[left, here, there] = [left - count, here.subarray(count), there.subarray(count)]
    }
    return true
  } finally {
    await Promise.all([first.return?.(), second.return?.()])
  }
}
