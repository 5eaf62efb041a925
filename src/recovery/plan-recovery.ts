import { type LocalBackup, recordOf } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import { majorOf, snapshotEnd } from '../catalog/record.js'
import type { Context } from '../context.js'
import type { Installation } from '../postgres/programs/find.js'
import { instantOf } from '../text/instant.js'
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
import { scanWal, type WalScan } from '../wal-reading/scan-wal.js'
import { upTo, type WalDamage } from '../wal-reading/wal-damage.js'
import { pathOf } from '../wal-segments/archive-segments.js'
import { parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import { packingOf } from '../wal-segments/segment-forms.js'
import { noZstd, zstdCommand } from '../wal-segments/zstd.js'
import { type RecoveryPlan, snapshotOnly, wayTo } from './recovery-plan.js'
import type { RecoveryTarget } from './recovery-target.js'
import { resolveTarget } from './resolve-target.js'

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

type Planned =
  | { plan: RecoveryPlan; unreachable?: never }
  | { unreachable: UnreachableFromBackup; plan?: never }

interface PlanningOptions {
  installations: Installation[]
  /** Of the root: the WAL of later backups goes on where this one's archive ends. */
  pool: WalPool
  /** What is known of segments, so that they need not be read. */
  notes?: SegmentNotes | undefined
  /** Until when everything is in this WAL, though nothing was committed. */
  caughtUp(wal: ArchivedWal): CaughtUp | undefined
}

/**
 * Plans the recovery of a copy from what is in the backup's WAL archive; writes nothing but notes for the next time. PostgreSQL takes some
 * targets that it cannot reach for others without an error, so each is compared with what the archive holds.
 * @throws {PgbkError} `programs-missing` without pg_waldump of the backup's major where there is WAL to look at, or without what unpacks it;
 * `damaged` when that cannot be read.
 */
export async function planRecovery(
  backup: LocalBackup,
  target: RecoveryTarget,
  { installations, pool, notes, caughtUp }: PlanningOptions,
  { env, self, signal }: Context,
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
  return planned.plan ? { plan: { ...planned.plan, ...withUnpacker(planned.plan, { env, self }) } } : planned
}

/** @throws {PgbkError} `programs-missing` where a segment on the way cannot be unpacked on this machine. */
function withUnpacker(
  { recovery, archive }: RecoveryPlan,
  here: Pick<Context, 'env' | 'self'>,
): Pick<RecoveryPlan, 'recovery'> {
  if (!recovery) return { recovery }
  const { by, unpack } = zstdCommand(here) ?? {}
  const packed = archive?.chain.find(
    ({ form, segment }) => packingOf(form) === 'zstd' && segment <= recovery.lastSegment,
  )
  if (packed && unpack === undefined) throw noZstd(`WAL segment ${pathOf(packed)} cannot be replayed`)
  return { recovery: by === 'node' ? { ...recovery, unpackZstd: unpack } : recovery }
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
  const { stop, asOf } = resolved
  const way = end && stop ? wayTo({ backup, target }, { ...resolved, stop }, { wal, end }) : { asOf }
  return { planned: { plan: { ...known, ...way } }, damage }
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

function gapReason(gap: ArchiveGap | undefined): string {
  return gap ? `; the archive is broken at ${gap.missing}: ${gap.reason}` : ''
}

/** The latest of these times. */
function latest(first: string, ...others: (string | undefined)[]): string {
  return others.reduce<string>(
    (newest, one) => (one !== undefined && instantOf(one) > instantOf(newest) ? one : newest),
    first,
  )
}
