import { type ArchivedWal, type ArchiveGap, readArchivedWal } from '../backup/archived-wal.js'
import type { Backup } from '../backup/catalog.js'
import { parseLsn, segmentNumber } from '../backup/lsn.js'
import { describeMoment, type Instant, instantOf, type RecoveryWish } from '../backup/moment.js'
import { majorOf } from '../backup/record.js'
import type { RecoveryInput } from '../backup/recovery-conf.js'
import { holdsSnapshotOnly } from '../backup/window.js'
import type { Context } from '../context.js'
import { findArchiveEnd } from './archive-end.js'
import type { ReplayRange } from './await-recovery.js'
import { programEnvironment } from './connection.js'
import type { Installation } from './find.js'
import { aimAt } from './recovery-aim.js'
import { checkTablespacesInWal } from './tablespace-records.js'

/** How a copy of a backup gets to the moment that is wanted. */
export interface RecoveryPlan {
  wish: RecoveryWish
  /** The WAL after the snapshot that may be replayed. */
  wal: { segments: number; bytes: number }
  range: ReplayRange
  /** What PostgreSQL is told, with a recovery.signal; undefined when the snapshot's own WAL is all there is to replay. */
  recovery: RecoveryInput | undefined
  /** The LSN that must have been replayed at the end. */
  reachLsn: string | undefined
  /** No commit may be newer. */
  notAfter: Instant | undefined
  /** The moment in plain words. */
  goal: string
  /** What the data will be as of, ISO 8601; undefined where that shows only when it is there. */
  asOf: string | undefined
  /** Until when the archive reaches. */
  until: string
  /** Where the archive is broken; nothing after it can be replayed. */
  gap: ArchiveGap | undefined
  /** The last segment is not finished, and not named so: the WAL may have been cut off there. */
  unfinished: string | undefined
}

/** Why a backup does not lead to a moment. */
export interface OutOfReach {
  id: string
  /** The times that it does lead to, ISO 8601. */
  from: string
  to: string
  reason: string
}

export type Planned = { plan: RecoveryPlan; outOfReach?: never } | { outOfReach: OutOfReach; plan?: never }

export interface PlanningOptions {
  installations: Installation[]
  /** Until when a receiver that is at work has everything, though nothing was committed; ISO 8601. */
  caughtUpAt?: string | undefined
}

/**
 * Plans the recovery of a copy from what is in the backup's WAL archive; writes nothing. PostgreSQL takes some moments that it
 * cannot reach for others without an error, so each is compared with what the archive holds.
 * @throws {PgbkError} `programs-missing` without pg_waldump of the backup's major where there is WAL to look at, `damaged` when
 * that cannot be read; as `checkTablespacesInWal`.
 */
export async function planRecovery(
  backup: Backup,
  wish: RecoveryWish,
  { installations, caughtUpAt }: PlanningOptions,
  { env, signal }: Context,
): Promise<Planned> {
  const { record, layout } = backup
  const nothing = snapshotOnly(backup, wish)
  if (wish.moment.kind === 'snapshot') return { plan: nothing }
  const wal = readArchivedWal(layout.wal, record, wish.timeline)
  // Without a look into it, for which programs are needed.
  if (wish.moment.kind === 'latest' && holdsSnapshotOnly(backup, wal))
    return { plan: { ...nothing, gap: wal.gap } }
  const from = segmentNumber(parseLsn(record.stop_lsn), record.wal_segment_size) - 1n
  if (wish.timeline !== undefined && wal.timelines.at(-1)?.timeline !== wish.timeline) {
    const reason = `its archive does not lead to timeline ${wish.timeline}`
    return { outOfReach: { id: backup.id, from: record.finished_at, to: record.finished_at, reason } }
  }
  const search = { wal, major: majorOf(record), installations, env: programEnvironment(env), signal, from }
  const end = wal.chain.length > 0 ? await findArchiveEnd(search) : undefined
  const until = latest(record.finished_at, end?.commit?.time, wal.gap ? undefined : caughtUpAt)
  const known = { ...nothing, until, gap: wal.gap, unfinished: end?.unfinished }
  const outOfReach = (reason: string): Planned => ({
    outOfReach: { id: backup.id, from: record.finished_at, to: until, reason: reason + gapReason(wal.gap) },
  })
  const aim = await aimAt({ backup, wish, search, end, until })
  if ('reason' in aim) return outOfReach(aim.reason)
  if (!end || !aim.target) return { plan: { ...known, asOf: aim.asOf } }
  await checkTablespacesInWal({ ...search, fromLsn: record.stop_lsn })
  return {
    plan: {
      ...known,
      wal: measureAfter(wal, parseLsn(record.stop_lsn)),
      range: { startLsn: record.start_lsn, endLsn: end.record.endLsn },
      recovery: {
        archive: layout.wal,
        target: aim.target,
        timeline: end.record.timeline,
        inclusive: aim.inclusive,
        action: wish.pause ? 'pause' : 'promote',
      },
      reachLsn: aim.reachLsn,
      notAfter: aim.notAfter,
      asOf: aim.asOf,
    },
  }
}

function snapshotOnly({ record }: Backup, wish: RecoveryWish): RecoveryPlan {
  return {
    wish,
    wal: { segments: 0, bytes: 0 },
    range: { startLsn: record.start_lsn, endLsn: record.stop_lsn },
    recovery: undefined,
    reachLsn: undefined,
    notAfter: undefined,
    goal: describeMoment(wish.moment),
    asOf: record.finished_at,
    until: record.finished_at,
    gap: undefined,
    unfinished: undefined,
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

/** The segments that hold WAL from this position on. */
function measureAfter({ chain, segmentSize }: ArchivedWal, lsn: bigint): RecoveryPlan['wal'] {
  const after = chain.filter(({ segment }) => (segment + 1n) * BigInt(segmentSize) > lsn)
  return { segments: after.length, bytes: after.reduce((sum, { bytes }) => sum + bytes, 0) }
}
