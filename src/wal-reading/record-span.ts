import { PgbkError } from '../errors.js'
import { readPiece } from '../system/files/read-small.js'
import { recordEnd } from '../wal-segments/lsn.js'
import { readWalPage } from '../wal-segments/wal-page.js'
import { pathInWaldump, type WaldumpDirectory, withSegments } from './waldump-directory.js'

/** The long header of a segment's first page. */
const header = 40

/**
 * The index of the segment in which the last record ends that begins in another one, or a later one: a record may fill whole segments.
 * @param most no segment behind this one counts.
 */
export async function lastOfRecord(waldump: WaldumpDirectory, index: number, most: number): Promise<number> {
  let last = Math.min(index + 1, most)
  while (last < most && (await isFilled(waldump, last))) last++
  return Math.max(index, last)
}

/** Whether all of a segment belongs to a record that began earlier, as far as its header tells. */
async function isFilled(waldump: WaldumpDirectory, index: number): Promise<boolean> {
  try {
    const bytes = await withSegments(waldump, { first: index, last: index }, async ([name = '']) =>
      readPiece(pathInWaldump(waldump, name), 0, header),
    )
    if (bytes.length < header) return false
    const { remaining } = readWalPage(bytes)
    return recordEnd(BigInt(header), remaining, waldump.segmentSize) >= BigInt(waldump.segmentSize)
  } catch (error) {
    // Whoever reads it tells what is wrong with it.
    if (error instanceof PgbkError && error.code === 'damaged') return false
    throw error
  }
}
