import { basename, dirname } from 'node:path'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import { majorOf, snapshotEnd } from '../catalog/record.js'
import type { Context } from '../context.js'
import type { PgbkError } from '../errors.js'
import type { Installation } from '../postgres/programs/find.js'
import { type Instant, instantOf } from '../text/instant.js'
import type { ArchivedWal, ArchiveGap } from '../wal-archive/archived-wal.js'
import type { CaughtUp } from '../wal-archive/caught-up.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { WalPool } from '../wal-archive/wal-pool.js'
import { soundWal } from '../wal-coverage/sound-wal.js'
import { holdsSnapshotOnly } from '../wal-coverage/window.js'
import {
  type ArchiveEnd,
  type ArchiveEndSearch,
  findArchiveEnd,
  findReadableEnd,
} from '../wal-reading/archive-end.js'
import type { RecordQuery } from '../wal-reading/find-record.js'
import type { ScanSearch } from '../wal-reading/scan-stretches.js'
import { type NewTablespace, scanWal, type WalScan } from '../wal-reading/scan-wal.js'
import { upTo, type WalDamage } from '../wal-reading/wal-damage.js'
import { formatLsn, isBefore, lastSegmentBefore, parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import type { ReplayRange } from './await-recovery.js'
import { archiveParts, minimumsIn, type RecoveryInput } from './recovery-conf.js'
import { describePoint, type RecoveryTarget } from './recovery-target.js'
import { type ResolvedTarget, resolveTarget, type StopPoint } from './resolve-target.js'

/** How a copy of a backup gets to the recovery target. */
export interface RecoveryPlan {
  target: RecoveryTarget
  /** The WAL after the snapshot that may be replayed. */
  wal: { segments: number; bytes: number }
  /** Where that lies; undefined when the snapshot's own WAL is all there is to replay. */
  archive: ArchivedWal | undefined
  range: ReplayRange
  /** Where the history that is replayed changes to another timeline: after a promotion, or a restore of the server. */
  switches: { timeline: number; lsn: string }[]
  /** What PostgreSQL is told, with a recovery.signal; undefined when the snapshot's own WAL is all there is to replay. */
  recovery: RecoveryInput | undefined
  /** The LSN that must have been replayed at the end. */
  requiredLsn: string | undefined
  /** No commit may be newer. */
  notAfter: Instant | undefined
  /** The target in plain words. */
  targetText: string
  /** What the data will be as of, ISO 8601; undefined where that shows only when it is there. */
  asOf: string | undefined
  /** Until when the archive reaches. */
  until: string
  /** Where the archive is broken; nothing after it can be replayed. */
  gap: ArchiveGap | undefined
  /** The gap is a segment that is there and cannot be read. */
  damage: PgbkError | undefined
  /** Tablespaces that replay makes at the paths which they had on the server. */
  newTablespaces: NewTablespace[]
  /** The last segment is not finished, and not named so: the WAL may have been cut off there. */
  unfinished: string | undefined
  /** The archives of which notes were believed: not all WAL on the way was read. */
  noted: string[]
}

/** The other backups in whose archives a recovery finds its WAL. */
export function furtherBackups({ recovery }: Pick<RecoveryPlan, 'recovery'>): string[] {
  return (recovery?.archives ?? []).slice(1).map(({ directory }) => basename(dirname(directory)))
}

/** Why a backup does not lead to a target. */
export interface UnreachableFromBackup {
  id: string
  /** The times that it does lead to, ISO 8601. */
  from: string
  to: string
  reason: string
  /** It may be in WAL that is still to come. */
  mayGrow: boolean
}

export type Planned =
  | { plan: RecoveryPlan; unreachable?: never }
  | { unreachable: UnreachableFromBackup; plan?: never }

export interface PlanningOptions {
  installations: Installation[]
  /** Of the root: the WAL of later backups goes on where this one's archive ends. */
  pool: WalPool
  /** What is known of segments, so that they need not be read. */
  notes?: SegmentNotes | undefined
  /** Until when everything is in this WAL, though nothing was committed. */
  caughtUp(wal: ArchivedWal): CaughtUp | undefined
}

/**
 * Plans the recovery of a copy from what is in the backup's WAL archive; writes nothing but notes for the next time. PostgreSQL takes some targets that it
 * cannot reach for others without an error, so each is compared with what the archive holds.
 * @throws {PgbkError} `programs-missing` without pg_waldump of the backup's major where there is WAL to look at, `damaged` when
 * that cannot be read.
 */
export async function planRecovery(
  backup: LocalBackup,
  target: RecoveryTarget,
  { installations, pool, notes, caughtUp }: PlanningOptions,
  { env, signal }: Context,
): Promise<Planned> {
  if (target.point.kind === 'snapshot') return { plan: snapshotOnly(backup, target) }
  const record = recordOf(backup)
  const programs = { env, signal, notes }
  const from = segmentNumber(parseLsn(record.stop_lsn), record.wal_segment_size) - 1n
  const { system_identifier: systemIdentifier } = record.server
  const search = { ...programs, major: majorOf(record), installations, from, systemIdentifier }
  const joining = { ...programs, installations: async () => installations, timeline: target.timeline }
  const { planned } = await soundWal(backup, pool, joining, (wal) =>
    planThrough(backup, target, { ...search, wal }, caughtUp),
  )
  return planned
}

/** A plan, and the damage that keeps it from what comes after. */
interface Attempt {
  planned: Planned
  damage: WalDamage | undefined
}

/** The same through this WAL. */
async function planThrough(
  backup: LocalBackup,
  target: RecoveryTarget,
  search: ScanSearch,
  caughtUp: PlanningOptions['caughtUp'],
): Promise<Attempt> {
  const record = recordOf(backup)
  const nothing = snapshotOnly(backup, target)
  const start = windowStart(record)
  const { wal: archived } = search
  // Without a look into it, for which programs are needed.
  if (target.point.kind === 'latest' && holdsSnapshotOnly(backup, archived))
    return { planned: { plan: { ...nothing, gap: archived.gap } }, damage: undefined }
  if (target.timeline !== undefined && archived.timelines.at(-1)?.timeline !== target.timeline) {
    const reason = `its archive does not lead to timeline ${target.timeline}`
    const unreachable = { id: backup.id, from: start, to: start, reason, mayGrow: false }
    return { planned: { unreachable }, damage: undefined }
  }
  const { wal, end, damage, scan } = await readableEnd(search, target)
  const until = latest(snapshotEnd(record), end?.commit?.time, caughtUp(wal)?.at)
  const known = { ...nothing, until, gap: wal.gap, damage: damage?.error, unfinished: end?.unfinished }
  const endLsn = end?.record.endLsn
  const scanTo = async (query?: RecordQuery) =>
    query === undefined && scan ? scan : scanWal({ ...search, wal, endLsn }, query)
  const resolved = await resolveTarget({ backup, target, end, until, scanTo })
  if ('reason' in resolved) {
    const reachable = resolved.damage
      ? (await endBefore(resolved.damage, { ...search, wal }))?.commit?.time
      : until
    const to = latest(start, reachable)
    const reason = resolved.reason + gapReason(wal.gap)
    const mayGrow = resolved.isBehind === true && !resolved.damage && !wal.gap
    const unreachable = { id: backup.id, from: start, to, reason, mayGrow }
    return { planned: { unreachable }, damage: resolved.damage ?? damage }
  }
  const way =
    end && resolved.stop ? wayTo(resolved, resolved.stop, backup, wal, end, target) : { asOf: resolved.asOf }
  return { planned: { plan: { ...known, ...way } }, damage }
}

type WayTo = Pick<
  RecoveryPlan,
  | 'wal'
  | 'archive'
  | 'range'
  | 'switches'
  | 'recovery'
  | 'requiredLsn'
  | 'notAfter'
  | 'asOf'
  | 'newTablespaces'
  | 'noted'
>

function wayTo(
  { scan, requiredLsn, notAfter, asOf, lastCommit }: ResolvedTarget,
  stop: StopPoint,
  backup: LocalBackup,
  wal: ArchivedWal,
  end: ArchiveEnd,
  target: RecoveryTarget,
): WayTo {
  const record = recordOf(backup)
  const lastSegment = lastSegmentBefore(stop.endLsn, record.wal_segment_size)
  // Not the newest: of one that begins after the stop the copy would have a history that is out of order.
  const timeline = wal.chain.find(({ segment }) => segment === lastSegment)?.timeline ?? end.record.timeline
  return {
    archive: wal,
    wal: measureBetween(wal, parseLsn(record.stop_lsn), parseLsn(stop.endLsn) - 1n),
    range: { startLsn: record.start_lsn, endLsn: stop.lsn, lastCommit },
    switches: wal.timelines
      .slice(1)
      .filter(({ fromLsn }) => fromLsn < parseLsn(stop.endLsn))
      .map(({ timeline, fromLsn }) => ({ timeline, lsn: formatLsn(fromLsn) })),
    recovery: {
      archives: archiveParts(wal, lastSegment),
      timeline,
      stop,
      lastSegment,
      segmentSize: record.wal_segment_size,
      minimums: higherThanIn(layoutOf(backup).conf, scan?.minimums ?? {}),
      action: target.pause ? 'pause' : 'promote',
    },
    requiredLsn,
    notAfter,
    asOf,
    noted: scan?.noted ?? [],
    newTablespaces: (scan?.tablespaces ?? []).filter(({ lsn }) => !isBefore(lsn, record.stop_lsn)),
  }
}

interface Readable {
  wal: ArchivedWal
  end: ArchiveEnd | undefined
  damage?: WalDamage
  /** What is in all of it, where that had to be read. */
  scan?: WalScan
}

/**
 * The archive as far as it can be read, and its end. Its last segments are read in any case; to go to its very end, all must be.
 */
async function readableEnd(search: ScanSearch, { point }: RecoveryTarget): Promise<Readable> {
  const { wal } = search
  if (wal.chain.length === 0) return { wal, end: undefined }
  const end = await findReadableEnd(search)
  if (end && point.kind !== 'latest') return { wal, end }
  const scan = await scanWal({ ...search, endLsn: end?.record.endLsn })
  const { damage } = scan
  if (!damage) return end ? { wal, end, scan } : { wal, end: await findArchiveEnd(search) }
  return { wal: upTo(wal, damage), end: await endBefore(damage, search), damage }
}

async function endBefore(damage: WalDamage, search: ArchiveEndSearch): Promise<ArchiveEnd | undefined> {
  const wal = upTo(search.wal, damage)
  return wal.chain.length > 0 ? findArchiveEnd({ ...search, wal }) : undefined
}

function snapshotOnly(backup: LocalBackup, target: RecoveryTarget): RecoveryPlan {
  const record = recordOf(backup)
  return {
    target,
    wal: { segments: 0, bytes: 0 },
    archive: undefined,
    range: { startLsn: record.start_lsn, endLsn: record.stop_lsn },
    switches: [],
    recovery: undefined,
    requiredLsn: undefined,
    notAfter: undefined,
    targetText: `${target.exclusive ? 'just before ' : ''}${describePoint(target.point)}`,
    asOf: snapshotEnd(record),
    until: snapshotEnd(record),
    gap: undefined,
    damage: undefined,
    newTablespaces: [],
    unfinished: undefined,
    noted: [],
  }
}

function latest(first: string, ...others: (string | undefined)[]): string {
  return others.reduce<string>(
    (newest, one) => (one !== undefined && instantOf(one) > instantOf(newest) ? one : newest),
    first,
  )
}

function gapReason(gap: ArchiveGap | undefined): string {
  return gap ? `; the archive is broken at ${gap.missing}: ${gap.reason}` : ''
}

/** The segments that hold WAL between two positions. */
function measureBetween({ chain, segmentSize }: ArchivedWal, from: bigint, to: bigint): RecoveryPlan['wal'] {
  const size = BigInt(segmentSize)
  const between = chain.filter(({ segment }) => (segment + 1n) * size > from && segment * size <= to)
  return { segments: between.length, bytes: between.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** What the server's settings were raised to, above those of the snapshot's configuration. */
function higherThanIn(conf: string, minimums: Record<string, number>): Record<string, number> {
  const own = minimumsIn(conf)
  return Object.fromEntries(Object.entries(minimums).filter(([name, value]) => value > (own[name] ?? 0)))
}
