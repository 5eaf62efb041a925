import { PgbkError } from '../errors.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import { type Installation, programOf } from '../postgres/programs/find.js'
import { waysToGet } from '../postgres/programs/find-server.js'
import { piecesOf } from '../system/files/read-small.js'
import type { ArchivedSegment, ArchivedWal } from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { formatLsn, parseLsn, recordEnd, segmentNumber } from '../wal-segments/lsn.js'
import { type DumpedWal, dumpWal, lengthOfRecord } from './wal-dump.js'
import {
  pathInWaldump,
  type WaldumpDirectory,
  withSegments,
  withWaldumpDirectory,
} from './waldump-directory.js'

/** The last thing that can be replayed from an archive. */
export interface ArchiveEnd {
  /** The last whole record. Replay to the end is `recovery_target_lsn = startLsn`. */
  record: { startLsn: string; endLsn: string; timeline: number }
  /** The last record that ends a transaction, with its time in UTC to the microsecond; undefined when there is none. */
  commit: { lsn: string; time: string } | undefined
  /** The last segment, though not named `.partial`, is not finished: after the last record there are only zeros. */
  unfinished: string | undefined
}

export interface ArchiveEndSearch extends CheckOptions {
  wal: ArchivedWal
  /** Of the backup: pg_waldump reads the WAL of its own major only. */
  major: number
  installations: Installation[]
  /** What is known of segments, so that they need not be read. */
  notes?: SegmentNotes | undefined
  /** Segments before this one hold no commit that the caller does not know. */
  from?: bigint | undefined
}

/**
 * Finds the last record and the last commit of an unbroken chain of segments, reading as few segments from its end as it takes.
 * Where the WAL ends in an unfinished segment, that is its natural end.
 * @throws {PgbkError} `programs-missing` without pg_waldump of this major; `damaged`, naming the segment, when one of those that are
 * read cannot be read to its end although others follow or it is a finished one; `damaged` for an empty chain.
 */
export async function findArchiveEnd(search: ArchiveEndSearch): Promise<ArchiveEnd> {
  const program = waldumpOf(search.major, search.installations)
  const { chain } = search.wal
  if (chain.length === 0) throw new PgbkError('damaged', `there is no WAL in ${search.wal.directory}`)
  return withWaldumpDirectory(program, search.wal, search, async (waldump) => {
    const last = await findLastRecord(waldump, chain)
    const startLsn = parseLsn(last.start)
    const endLsn = await endOf(waldump, chain, startLsn)
    const unfinished = await checkFinished(waldump, chain, last.first, endLsn)
    const record = {
      startLsn: last.start,
      endLsn: formatLsn(endLsn),
      timeline: timelineAt(chain, startLsn, waldump.segmentSize),
    }
    const commit = last.commit ?? (await findCommit(waldump, chain, last.first, search))
    return { record, commit, unfinished: unfinished ? chain.at(-1)?.name : undefined }
  })
}

/** The same, undefined where the last segments are damaged; errors of any other kind as before. */
export async function findReadableEnd(search: ArchiveEndSearch): Promise<ArchiveEnd | undefined> {
  try {
    return await findArchiveEnd(search)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}

/** @throws {PgbkError} `programs-missing`. */
export function waldumpOf(major: number, installations: Installation[]): string {
  const program = programOf(major, 'pg_waldump', installations)
  if (program !== undefined) return program
  throw new PgbkError(
    'programs-missing',
    `reading the WAL archive needs pg_waldump ${major}, which is not installed here`,
    {
      hint: `It comes with the server programs. ${waysToGet(major)}\nWithout it a backup can be opened as of its snapshot's end: --to-snapshot.`,
    },
  )
}

interface LastRecord {
  start: string
  commit: DumpedWal['commit']
  /** The first segment that was read. */
  first: number
}

/** Reads from the last segment on, then from earlier ones, until there is a record. */
async function findLastRecord(waldump: WaldumpDirectory, chain: ArchivedSegment[]): Promise<LastRecord> {
  const last = chain.length - 1
  for (let first = last; first >= 0; first--) {
    const dumped = await dumpWal(waldump, first, last, { toItsEnd: false })
    if (dumped.lastRecord === undefined) continue
    return { start: dumped.lastRecord, commit: dumped.commit, first }
  }
  throw new PgbkError('damaged', `WAL segment ${chain[0]?.name} is damaged: there is no record in it`)
}

/**
 * Every finished segment must be readable to its end; only in an unfinished one may the WAL end anywhere. Somebody may have copied
 * the server's current segment under its own name: then there are only zeros after the last record.
 * @returns whether it is such a segment.
 */
async function checkFinished(
  waldump: WaldumpDirectory,
  chain: ArchivedSegment[],
  first: number,
  endLsn: bigint,
): Promise<boolean> {
  const last = chain.length - 1
  const isPartial = chain[last]?.form === 'partial'
  const endsInLast = segmentNumber(endLsn - 1n, waldump.segmentSize) === chain[last]?.segment
  const finished = isPartial ? last - 1 : last
  if ((isPartial && endsInLast) || finished < first) return false
  try {
    await dumpWal(waldump, first, finished, { toItsEnd: true })
    return false
  } catch (error) {
    if (!isPartial && endsInLast && (await isEmptyFrom(waldump, last, endLsn))) return true
    throw error
  }
}

/** Whether a raw segment has nothing but zeros from a position on. */
async function isEmptyFrom(waldump: WaldumpDirectory, index: number, lsn: bigint): Promise<boolean> {
  if (waldump.wal.chain[index]?.form !== 'raw') return false
  const start = Number(lsn % BigInt(waldump.segmentSize))
  return withSegments(waldump, { first: index, last: index }, async ([name = '']) => {
    for await (const chunk of piecesOf(pathInWaldump(waldump, name), { from: start }))
      if (chunk.some((byte) => byte !== 0)) return false
    return true
  })
}

/** What is unpacked for pg_waldump at a time. */
export const mostBytesAtOnce = 256 * 1024 ** 2

/** Goes back, in steps that grow, from a segment before which nothing was read yet. */
async function findCommit(
  waldump: WaldumpDirectory,
  chain: ArchivedSegment[],
  before: number,
  { from = 0n, notes, wal }: ArchiveEndSearch,
): Promise<DumpedWal['commit']> {
  const known = notes?.factsOf(wal, undefined) ?? []
  const most = Math.max(1, Math.floor(mostBytesAtOnce / waldump.segmentSize))
  let step = 1
  // A record may begin in one step's last segment and end in the next step's first.
  for (let end = before; end > 0 && (chain[end]?.segment ?? 0n) > from; ) {
    const noted = known[end - 1]
    if (noted?.commit) return noted.commit
    if (noted) {
      end--
      continue
    }
    let first = Math.max(0, end - step)
    let dumped = await readStep(waldump, chain, first, end)
    // Very long records can fill whole segments.
    while (!dumped.hasRecords && first > 0) dumped = await readStep(waldump, chain, --first, end)
    if (dumped.commit) return dumped.commit
    await waldump.clear(first + 1)
    end = first
    step = Math.min(2 * step, most)
  }
  return undefined
}

async function readStep(
  waldump: WaldumpDirectory,
  chain: ArchivedSegment[],
  first: number,
  end: number,
): Promise<DumpedWal> {
  const endsOpen = end === chain.length - 1 && chain[end]?.form === 'partial'
  if (!endsOpen) return dumpWal(waldump, first, end, { toItsEnd: true })
  await dumpWal(waldump, first, end - 1, { toItsEnd: true })
  return dumpWal(waldump, first, end, { toItsEnd: false })
}

/** A SWITCH ends its segment, wherever in it it stands. */
async function endOf(waldump: WaldumpDirectory, chain: ArchivedSegment[], startLsn: bigint): Promise<bigint> {
  const size = waldump.segmentSize
  const number = segmentNumber(startLsn, size)
  const index = chain.findIndex(({ segment }) => segment === number)
  const { length, isSwitch } = await lengthOfRecord(waldump, index, formatLsn(startLsn))
  return isSwitch ? (number + 1n) * BigInt(size) : recordEnd(startLsn, length, size)
}

function timelineAt(chain: ArchivedSegment[], lsn: bigint, segmentSize: number): number {
  const number = segmentNumber(lsn, segmentSize)
  return chain.find(({ segment }) => segment === number)?.timeline ?? 0
}
