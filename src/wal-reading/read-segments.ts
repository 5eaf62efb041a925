import { runProgram } from '../system/program/run-program.js'
import type { SegmentFacts } from '../wal-archive/notes/segment-facts.js'
import { lastOfRecord } from './record-span.js'
import { collectRecords, countingRecords, type RecordCollector } from './segment-records.js'
import { checkSegmentStarts } from './segment-starts.js'
import type { WalDamage } from './wal-damage.js'
import { damagedAt, holdsNoRecord } from './wal-dump.js'
import { type WaldumpDirectory, type WalStep, withSegments } from './waldump-directory.js'

/** What some segments of a chain have in them. */
export interface ReadSegments {
  /** Of the segments from the first one on; of a damaged one what comes before the damage, and nothing after that. */
  facts: SegmentFacts[]
  damage: WalDamage | undefined
}

/** How far a chain is read. */
export interface ReadLimits {
  major: number
  systemIdentifier: string
  /** The index of the last segment that is looked at. */
  lastToRead: number
  /** Where its last record ends, where that is known; else it must be readable to its end. */
  endLsn?: string | undefined
  /** It is no hurry: others go first. */
  isBeside?: boolean
}

/**
 * Reads all records that begin in some segments, by pg_waldump, which checks each of them.
 * @param meanwhile is done while it reads: those that can be used have been put there then.
 */
export async function readSegments(
  waldump: WaldumpDirectory,
  { first, last }: WalStep,
  limits: ReadLimits,
  meanwhile?: () => Promise<void>,
): Promise<ReadSegments> {
  const through = await lastOfRecord(waldump, last, limits.lastToRead)
  const start = await checkSegmentStarts(waldump, { first, last: through }, limits.systemIdentifier)
  const readable = start ? start.index - 1 : through
  const [{ records, failure }] = await Promise.all([
    readable < first
      ? { records: collectRecords(waldump.segmentSize), failure: '' }
      : dumpRecords(waldump, { first, last: readable }, limits),
    meanwhile?.(),
  ])
  const isDamaged = failure !== '' && !holdsNoRecord(failure)
  const damage = isDamaged ? damagedAt(waldump, first, failure) : start
  const end = damage ? Math.min(readable, damage.index) : last
  const segments = waldump.wal.chain.slice(first, end + 1)
  return { facts: segments.map(({ segment }) => records.factsOf(segment)), damage }
}

interface Dumped {
  records: RecordCollector
  /** What pg_waldump says of the end of the WAL. */
  failure: string
}

function dumpRecords(waldump: WaldumpDirectory, step: WalStep, limits: ReadLimits): Promise<Dumped> {
  // An end that is not in the last segment which it reads makes pg_waldump fail.
  const isToEnd = limits.endLsn !== undefined && step.last === limits.lastToRead
  const limit = isToEnd ? [`--end=${limits.endLsn}`] : []
  const dump = async (names: string[]): Promise<Dumped> => {
    const records = collectRecords(waldump.segmentSize)
    const range = [names[0] ?? '', names.at(-1) ?? '']
    const failures = await Promise.all(
      passes(limits.major).map((rmgrs) => dumpInto(records, waldump, limits, [...limit, ...rmgrs, ...range])),
    )
    return { records, failure: failures.find((one) => one !== '') ?? '' }
  }
  return withSegments(waldump, step, dump, ({ failure }) => failure === '')
}

/** Before version 16, pg_waldump takes one --rmgr only. */
function passes(major: number): string[][] {
  const rmgrs = ['Transaction', 'XLOG', 'Tablespace'].map((name) => `--rmgr=${name}`)
  return major >= 16 ? [rmgrs] : rmgrs.map((rmgr) => [rmgr])
}

/** The pattern is `$0`: most records say nothing that counts. */
const filtered = '{ "$@"; echo "status $?" >&2; } | grep "$0"'

async function dumpInto(
  records: RecordCollector,
  waldump: WaldumpDirectory,
  { isBeside }: ReadLimits,
  args: string[],
): Promise<string> {
  const command = [...(isBeside ? ['nice', '-n', '10'] : []), waldump.program, '--path=.', ...args]
  const { stderr } = await runProgram('sh', ['-c', filtered, countingRecords, ...command], {
    ...waldump.options,
    cwd: waldump.directory,
    onLine: records.take,
  })
  return stderr.replace(/^status \d+$/m, '').trim()
}
