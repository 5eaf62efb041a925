import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { hasEndAfter, mayEnd, type SegmentFacts } from '../wal-archive/notes/segment-facts.js'
import { lastSegmentBefore, parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import { waldumpOf } from './archive-end.js'
import { isBefore, seekIn, type WalPlace, type WalSeek } from './find-record.js'
import { lastOfRecord } from './record-span.js'
import { type Stretch, type WalkSearch, walkAhead } from './scan-stretches.js'
import type { WalDamage } from './wal-damage.js'
import { withSegmentDesk } from './waldump-directory.js'

export type LookAheadSearch = WalkSearch

/** A tablespace that replay makes anew, at the path that it had on the server. */
export interface NewTablespace {
  lsn: string
  path: string
}

/** What is in the WAL that is to be replayed. */
export interface WalAhead {
  /** What was sought; the rest ends there. */
  place: WalPlace | undefined
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
export async function lookAhead(search: LookAheadSearch, seek?: WalSeek): Promise<WalAhead> {
  waldumpOf(search.major, search.installations)
  const last = lastToRead(search)
  const facts: SegmentFacts[] = []
  let damage: WalDamage | undefined
  const noted = new Set<string>()
  for await (const stretch of walkAhead(search, last)) {
    facts.push(...stretch.facts)
    for (const directory of stretch.noted) noted.add(directory)
    const place = seek && (await placeIn(stretch, search, seek, last))
    if (place) return { place, damage: undefined, noted: [...noted], ...hazardsIn(facts, place) }
    damage = stretch.damage
  }
  return { place: undefined, damage, noted: [...noted], ...hazardsIn(facts) }
}

/** The index of the last segment that has to be readable. */
function lastToRead({ wal, endLsn }: LookAheadSearch): number {
  const { chain, segmentSize } = wal
  if (endLsn === undefined) return chain.length - (chain.at(-1)?.form === 'partial' ? 2 : 1)
  const end = lastSegmentBefore(endLsn, segmentSize)
  return chain.findIndex(({ segment }) => segment === end)
}

/** Reads those segments of a stretch that may have what is sought. */
async function placeIn(
  { first, facts, damage }: Stretch,
  search: LookAheadSearch,
  seek: WalSeek,
  lastToRead: number,
): Promise<WalPlace | undefined> {
  const { wal, endLsn } = search
  const program = waldumpOf(search.major, search.installations)
  const readable = damage ? first + facts.length - 1 : lastToRead
  const indexes = facts.map((_, at) => first + at)
  for (const index of indexes.filter((one) => mayHold(wal, one, facts[one - first], seek))) {
    const place = await withSegmentDesk(program, wal, search, async (desk) => {
      const end = await lastOfRecord(desk, index, readable)
      // Behind the end of a record there is at most one that begins before the next segment.
      const last = seek.kind === 'lsn' ? await lastOfRecord(desk, end, readable) : end
      const limit = endLsn !== undefined && last === lastToRead ? [`--end=${endLsn}`] : []
      return seekIn(desk, { first: index, last }, seek, limit)
    })
    if (place) return place
  }
  return undefined
}

function mayHold(wal: ArchivedWal, index: number, facts: SegmentFacts | undefined, seek: WalSeek): boolean {
  if (seek.kind === 'lsn')
    return wal.chain[index]?.segment === segmentNumber(parseLsn(seek.lsn), wal.segmentSize)
  if (!facts) return false
  switch (seek.kind) {
    case 'commit':
      return hasEndAfter(facts, seek.after, seek.orAt)
    case 'xid':
      return mayEnd(facts, seek.xid)
    case 'name':
      return facts.restore_points.some(({ lsn, name }) => name === seek.name && !isBefore(lsn, seek.from))
  }
}

/** What replay meets up to a place, or in all of it. */
function hazardsIn(facts: SegmentFacts[], place?: WalPlace): Pick<WalAhead, 'tablespaces' | 'minimums'> {
  const isOnTheWay = ({ lsn }: { lsn: string }) => place === undefined || !isBefore(place.lsn, lsn)
  const minimums: Record<string, number> = {}
  for (const change of facts.flatMap(({ settings }) => settings).filter(isOnTheWay))
    for (const [name, value] of Object.entries(change.minimums))
      minimums[name] = Math.max(minimums[name] ?? 0, value)
  const tablespaces = facts.flatMap((one) => one.tablespaces)
  return {
    minimums,
    tablespaces: tablespaces.filter(({ lsn }) => place === undefined || isBefore(lsn, place.lsn)),
  }
}
