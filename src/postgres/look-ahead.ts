import { type ArchivedWal, upToSegment } from '../backup/archived-wal.js'
import { lastSegmentBefore, parseLsn } from '../backup/lsn.js'
import { type ArchiveEndSearch, mostBytesAtOnce, waldumpOf } from './archive-end.js'
import { seekIn, type WalPlace, type WalSeek } from './seek-in-wal.js'
import { type SegmentDesk, type WalStep, withSegmentDesk } from './segment-desk.js'
import { checkSegmentStarts } from './segment-starts.js'
import type { WalDamage } from './wal-damage.js'
import { type DumpFilter, damagedAt, holdsNoRecord, runDump } from './wal-dump.js'

export interface LookAheadSearch extends ArchiveEndSearch {
  /** Of the server: a segment of another one has no business here. */
  systemIdentifier: string
  /** The end of the last record, where that is known; else every finished segment must be readable to its end. */
  endLsn?: string | undefined
}

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
}

/**
 * Reads the WAL that is to be replayed, from the chain's beginning to the place that is sought or to its end: PostgreSQL finds only
 * in the middle of it what makes it stop, or write where it must not.
 * @throws {PgbkError} `programs-missing` without pg_waldump of this major.
 */
export async function lookAhead(search: LookAheadSearch, seek?: WalSeek): Promise<WalAhead> {
  const program = waldumpOf(search.major, search.installations)
  const { wal } = search
  const step = Math.max(1, Math.floor(mostBytesAtOnce / wal.segmentSize))
  const ahead: WalAhead = { place: undefined, tablespaces: [], minimums: {}, damage: undefined }
  await withSegmentDesk(program, wal, search, async (desk) => {
    for (let first = 0; first <= lastToRead(search); first += step) {
      // One more than the step: a record may end in the next segment.
      const last = Math.min(first + step, lastToRead(search))
      await readStep(desk, { first, last }, search, seek, ahead)
      if (ahead.damage || ahead.place) return
      await desk.clear(first)
    }
  })
  return { ...ahead, tablespaces: ahead.tablespaces.filter(({ lsn }) => isUpTo(lsn, ahead.place)) }
}

/** The index of the last segment that has to be readable. */
function lastToRead({ wal, endLsn }: LookAheadSearch): number {
  const { chain, segmentSize } = wal
  if (endLsn === undefined) return chain.length - (chain.at(-1)?.form === 'partial' ? 2 : 1)
  const end = lastSegmentBefore(endLsn, segmentSize)
  return chain.findIndex(({ segment }) => segment === end)
}

function isUpTo(lsn: string, place: WalPlace | undefined): boolean {
  return place === undefined || parseLsn(lsn) < parseLsn(place.lsn)
}

async function readStep(
  desk: SegmentDesk,
  { first, last }: WalStep,
  search: LookAheadSearch,
  seek: WalSeek | undefined,
  ahead: WalAhead,
): Promise<void> {
  const start = await checkSegmentStarts(desk, { first, last }, search.systemIdentifier)
  // What can be read before the damage still counts.
  const readable = start ? start.index - 1 : last
  if (readable >= first) {
    const limit = limitOf(search, readable)
    for (const filter of hazards(search.major, limit)) {
      const { stdout, failure } = await runDump(desk, first, readable, filter)
      collect(stdout, ahead)
      if (failure !== '' && !holdsNoRecord(failure)) ahead.damage = damagedAt(desk, first, failure)
    }
    if (seek) ahead.place = await seekIn(desk, { first, last: readable }, seek, limit)
  }
  if (ahead.place) ahead.damage = undefined
  else ahead.damage ??= start
}

/** An end that is not in the last segment which it reads makes pg_waldump fail. */
function limitOf(search: LookAheadSearch, last: number): string[] {
  return search.endLsn !== undefined && last === lastToRead(search) ? [`--end=${search.endLsn}`] : []
}

/** Before version 16, pg_waldump takes one --rmgr only. */
function hazards(major: number, limit: string[]): DumpFilter[] {
  const pattern = 'desc: \\(CREATE\\|PARAMETER_CHANGE\\) '
  const of = (...rmgrs: string[]): DumpFilter => ({ args: [...limit, ...rmgrs], pattern, lastOnly: false })
  return major >= 16 ? [of('--rmgr=XLOG', '--rmgr=Tablespace')] : [of('--rmgr=XLOG'), of('--rmgr=Tablespace')]
}

/** A tablespace in place (allow_in_place_tablespaces) has no path. */
function collect(lines: string, { tablespaces, minimums }: WalAhead): void {
  for (const [, lsn = '', path = ''] of lines.matchAll(
    /^rmgr: Tablespace .* lsn: (\S+), .* desc: CREATE \d+ "(.+)"$/gm,
  ))
    tablespaces.push({ lsn, path })
  for (const [, values = ''] of lines.matchAll(/ desc: PARAMETER_CHANGE (.*)$/gm))
    for (const [, name = '', value] of values.matchAll(/(max_\w+)=(\d+)/g)) {
      const setting = name.replace('_xact', '_transaction')
      minimums[setting] = Math.max(minimums[setting] ?? 0, Number(value))
    }
}

/** The chain up to a damaged segment, of which what can be read counts. */
export function upTo(wal: ArchivedWal, { index, reason, isReadable }: WalDamage): ArchivedWal {
  const { chain } = wal
  const damaged = chain[index]
  if (!damaged) return wal
  const [after, next] = [chain[index - 1]?.name, chain[index + 1]?.name]
  return upToSegment(wal, damaged, { gap: { after, missing: damaged.name, next, reason }, isReadable })
}
