import { PgbkError } from '../errors.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import { readPiece } from '../system/files/read-small.js'
import { type ArchivedSegment, walOfSegments } from '../wal-archive/archived-wal.js'
import type { SeamOverlap } from '../wal-archive/wal-seams.js'
import { parseLsn, recordEnd } from '../wal-segments/lsn.js'
import { sameContent } from '../wal-segments/same-content.js'
import { type ByteRange, haveSameRecords } from '../wal-segments/same-records.js'
import { longHeader, readWalPage } from '../wal-segments/wal-page.js'
import { dumpWal, lengthOfRecord } from './wal-dump.js'
import {
  pathInWaldump,
  type WaldumpDirectory,
  withSegments,
  withWaldumpDirectory,
} from './waldump-directory.js'

export interface HistorySearch extends CheckOptions {
  segmentSize: number
  /** A pg_waldump of the major. */
  program(): Promise<string>
}

/**
 * Whether two copies of a segment are of one history: what can be read in both is the same then. Either may be damaged from somewhere
 * on. Undefined where nothing can be read in both.
 */
export async function isSameHistory(
  { one, other, upTo, previous }: SeamOverlap,
  search: HistorySearch,
): Promise<boolean | undefined> {
  if ((await sameContent(one, other, { ...search, upTo })) === 'same') return true
  const [first, second] = previous
  const mine = await readableBytes(one, first ?? second, search)
  const theirs = mine && (await readableBytes(other, second ?? first, search))
  if (!mine || !theirs) return undefined
  const range = { from: Math.max(mine.from, theirs.from), to: Math.min(mine.to, theirs.to, upTo) }
  return range.from < range.to ? haveSameRecords(one, other, range, search) : undefined
}

/** What pg_waldump, which checks each record, can read of a segment; undefined where that is nothing. */
async function readableBytes(
  segment: ArchivedSegment,
  previous: ArchivedSegment | undefined,
  search: HistorySearch,
): Promise<ByteRange | undefined> {
  const withPrevious = previous && (await readable([previous, segment], search))
  return withPrevious ?? readable([segment], search)
}

/** Of the last of these segments. */
async function readable(
  chain: ArchivedSegment[],
  { segmentSize, program, ...options }: HistorySearch,
): Promise<ByteRange | undefined> {
  const wal = walOfSegments(chain.at(-1)?.directory ?? '', chain, segmentSize)
  try {
    return await withWaldumpDirectory(await program(), wal, options, readableOn)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}

async function readableOn(waldump: WaldumpDirectory): Promise<ByteRange | undefined> {
  const { segmentSize, wal } = waldump
  const last = wal.chain.length - 1
  const start = (wal.chain[last]?.segment ?? 0n) * BigInt(segmentSize)
  const { lastRecord, hasRecords } = await dumpWal(waldump, 0, last, { toItsEnd: false })
  if (!hasRecords) return undefined
  if (lastRecord === undefined) return { from: 0, to: segmentSize }
  const lsn = parseLsn(lastRecord)
  const { length } = await lengthOfRecord(waldump, lsn >= start ? last : 0, lastRecord)
  const to = Number(recordEnd(lsn, length, segmentSize) - start)
  // Where a record ends that began before, nothing has checked.
  const from = last > 0 ? 0 : await firstRecord(waldump)
  return from < to ? { from, to } : undefined
}

/** The offset of the first record that begins in the first segment. */
function firstRecord(waldump: WaldumpDirectory): Promise<number> {
  return withSegments(waldump, { first: 0, last: 0 }, async ([name = '']) => {
    const { remaining } = readWalPage(await readPiece(pathInWaldump(waldump, name), 0, longHeader))
    return Number(recordEnd(BigInt(longHeader), remaining, waldump.segmentSize))
  })
}
