import type { ArchivedSegment } from './archive-segments.js'
import { segmentPieces, withSegmentFile } from './segment-file.js'
import type { Unpacking } from './unpacked-pieces.js'
import { recordBytes, walPageSize } from './wal-page.js'

/** Bytes of a segment: from the first to before the second. */
export interface ByteRange {
  from: number
  to: number
}

/**
 * Whether two copies of a segment have the same records between two bytes. What lies between records may differ: no checksum covers it,
 * and nobody reads it.
 * @throws as `unpackedPieces`.
 */
export function haveSameRecords(
  one: ArchivedSegment,
  other: ArchivedSegment,
  range: ByteRange,
  { segmentSize, ...place }: Unpacking & { segmentSize: number },
): Promise<boolean> {
  return withSegmentFile(one, (path) =>
    withSegmentFile(other, async (otherPath) => {
      const theirs = pagesOf(segmentPieces(otherPath, segmentSize, place))
      try {
        let at = 0
        for await (const page of pagesOf(segmentPieces(path, segmentSize, place))) {
          if (at >= range.to) return true
          const { value } = await theirs.next()
          if (!value || differs(page, value, { from: range.from - at, to: range.to - at })) return false
          at += page.length
        }
        return true
      } finally {
        await theirs.return(undefined)
      }
    }),
  )
}

function differs(page: Buffer, other: Buffer, range: ByteRange): boolean {
  if (page.equals(other)) return false
  return recordBytes(page).some(([begin, end]) => {
    const [from, to] = [Math.max(begin, range.from), Math.min(end, range.to)]
    return from < to && !page.subarray(from, to).equals(other.subarray(from, to))
  })
}

async function* pagesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  let rest = Buffer.alloc(0)
  for await (const piece of pieces) {
    rest = Buffer.concat([rest, piece])
    let at = 0
    for (; at + walPageSize <= rest.length; at += walPageSize) yield rest.subarray(at, at + walPageSize)
    rest = rest.subarray(at)
  }
  return undefined
}
