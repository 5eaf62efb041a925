import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { hasEndAfter, mayEnd, type SegmentFacts } from '../wal-archive/notes/segment-facts.js'
import { isBefore, lastSegmentBefore, parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import { waldumpOf } from './archive-end.js'
import { findRecord, type RecordPosition, type RecordQuery } from './find-record.js'
import { lastOfRecord } from './record-span.js'
import { type ScanSearch, type Stretch, scanStretches } from './scan-stretches.js'
import type { WalDamage } from './wal-damage.js'
import { withWaldumpDirectory } from './waldump-directory.js'

/** A tablespace that replay makes anew, at the path that it had on the server. */
export interface NewTablespace {
  lsn: string
  path: string
}

/** What is in the WAL that is to be replayed. */
export interface WalScan {
  /** What was sought; the rest ends there. */
  position: RecordPosition | undefined
  tablespaces: NewTablespace[]
  /** The settings that a recovery needs at least, as the server has changed them meanwhile. */
  minimums: Record<string, number>
  damage: WalDamage | undefined
  /** The archives of which notes were believed: not all was read. */
  noted: string[]
}

/**
 * Looks at the WAL that is to be replayed, from the chain's beginning to the place that is sought or to its end: PostgreSQL finds only
 * in the middle of it what makes it stop, or write where it must not. The place itself is always read.
 * @throws {PgbkError} `programs-missing` without pg_waldump of this major.
 */
export async function scanWal(search: ScanSearch, query?: RecordQuery): Promise<WalScan> {
  waldumpOf(search.major, search.installations)
  const last = lastToRead(search)
  const facts: SegmentFacts[] = []
  let damage: WalDamage | undefined
  const noted = new Set<string>()
  for await (const stretch of scanStretches(search, last)) {
    facts.push(...stretch.facts)
    for (const directory of stretch.noted) noted.add(directory)
    const position = query && (await positionIn(stretch, search, query, last))
    if (position) return { position, damage: undefined, noted: [...noted], ...hazardsIn(facts, position) }
    damage = stretch.damage
  }
  return { position: undefined, damage, noted: [...noted], ...hazardsIn(facts) }
}

/** The index of the last segment that has to be readable. */
function lastToRead({ wal, endLsn }: ScanSearch): number {
  const { chain, segmentSize } = wal
  if (endLsn === undefined) return chain.length - (chain.at(-1)?.form === 'partial' ? 2 : 1)
  const end = lastSegmentBefore(endLsn, segmentSize)
  return chain.findIndex(({ segment }) => segment === end)
}

/** Reads those segments of a stretch that may have what is sought. */
async function positionIn(
  { first, facts, damage }: Stretch,
  search: ScanSearch,
  query: RecordQuery,
  lastToRead: number,
): Promise<RecordPosition | undefined> {
  const { wal, endLsn } = search
  const program = waldumpOf(search.major, search.installations)
  const readable = damage ? first + facts.length - 1 : lastToRead
  const indexes = facts.map((_, at) => first + at)
  for (const index of indexes.filter((one) => mayHold(wal, one, facts[one - first], query))) {
    const position = await withWaldumpDirectory(program, wal, search, async (waldump) => {
      const end = await lastOfRecord(waldump, index, readable)
      // Behind the end of a record there is at most one that begins before the next segment.
      const last = query.kind === 'lsn' ? await lastOfRecord(waldump, end, readable) : end
      const limit = endLsn !== undefined && last === lastToRead ? [`--end=${endLsn}`] : []
      return findRecord(waldump, { first: index, last }, query, limit)
    })
    if (position) return position
  }
  return undefined
}

function mayHold(
  wal: ArchivedWal,
  index: number,
  facts: SegmentFacts | undefined,
  query: RecordQuery,
): boolean {
  if (query.kind === 'lsn')
    return wal.chain[index]?.segment === segmentNumber(parseLsn(query.lsn), wal.segmentSize)
  if (!facts) return false
  switch (query.kind) {
    case 'commit':
      return hasEndAfter(facts, query.after, query.orAt)
    case 'xid':
      return mayEnd(facts, query.xid)
    case 'name':
      return facts.restore_points.some(({ lsn, name }) => name === query.name && !isBefore(lsn, query.from))
  }
}

/** What replay meets up to a place, or in all of it. */
function hazardsIn(
  facts: SegmentFacts[],
  position?: RecordPosition,
): Pick<WalScan, 'tablespaces' | 'minimums'> {
  const isOnTheWay = ({ lsn }: { lsn: string }) => position === undefined || !isBefore(position.lsn, lsn)
  const minimums: Record<string, number> = {}
  for (const change of facts.flatMap(({ settings }) => settings).filter(isOnTheWay))
    for (const [name, value] of Object.entries(change.minimums))
      minimums[name] = Math.max(minimums[name] ?? 0, value)
  const tablespaces = facts.flatMap((one) => one.tablespaces)
  return {
    minimums,
    tablespaces: tablespaces.filter(({ lsn }) => position === undefined || isBefore(lsn, position.lsn)),
  }
}
