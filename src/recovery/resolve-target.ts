import { type LocalBackup, recordOf } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import type { BackupRecord } from '../catalog/record.js'
import { snapshotEnd } from '../catalog/record.js'
import { type Instant, instantOf, shortInstant } from '../text/instant.js'
import type { ArchiveEnd } from '../wal-reading/archive-end.js'
import type { RecordPosition, RecordQuery } from '../wal-reading/find-record.js'
import type { WalScan } from '../wal-reading/scan-wal.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'
import { formatLsn, isBefore, parseLsn } from '../wal-segments/lsn.js'
import type { RecoveryTarget, TargetPoint } from './recovery-target.js'

interface TargetSearch {
  backup: LocalBackup
  target: RecoveryTarget
  /** Undefined for an empty archive. */
  end: ArchiveEnd | undefined
  /** Until when the archive reaches, ISO 8601. */
  until: string
  /** Reads the WAL up to what is sought, or to its end. */
  scanTo(query?: RecordQuery): Promise<WalScan>
}

/** The record at which recovery ends, and whether it is replayed too. It is read in any case. */
export interface StopPoint {
  lsn: string
  endLsn: string
  inclusive: boolean
}

/** At which record a recovery stops to get to its target. */
export interface ResolvedTarget {
  /** Undefined when the end of the snapshot is the target. */
  stop: StopPoint | undefined
  /** The LSN that must have been replayed at the end. */
  requiredLsn: string | undefined
  notAfter?: Instant | undefined
  asOf: string | undefined
  /** When the transaction was ended whose end is the last record that is replayed. */
  lastCommit?: Instant | undefined
  /** What is in the WAL on the way there. */
  scan: WalScan | undefined
}

/** Why that is not possible. */
interface Unreachable {
  reason: string
  /** What is in the way, where it is that. */
  damage?: WalDamage | undefined
  /** It is behind all that is in the archive, as far as that shows. */
  isBehind?: boolean
}

/**
 * Translates a recovery target into the record at which PostgreSQL has to stop. It is told the record's LSN, whatever the target is: a time or
 * a transaction it may pass, or miss, in silence.
 */
export async function resolveTarget(input: TargetSearch): Promise<ResolvedTarget | Unreachable> {
  const { point } = input.target
  switch (point.kind) {
    case 'snapshot':
    case 'latest':
      return resolveEnd(input)
    case 'time':
      return resolveTime(input, point)
    case 'lsn':
      return resolveLsn(input, point)
    case 'xid':
      return resolveRecord(input, point, `transaction ${point.xid} has no end in the archive`)
    case 'name': {
      const query: RecordQuery = { ...point, from: recordOf(input.backup).stop_lsn }
      return resolveRecord(
        input,
        query,
        `the archive has no restore point ${JSON.stringify(point.name)} after its snapshot`,
      )
    }
  }
}

/**
 * The last record's start is the target: its end would never be reached, and without a target PostgreSQL takes damaged WAL for
 * the end. Recovery must not be asked to stop before the copy is consistent.
 */
async function resolveEnd(input: TargetSearch): Promise<ResolvedTarget | Unreachable> {
  const scan = input.end && (await input.scanTo())
  return endOfArchive(input, scan) ?? unreachablePast(scan)
}

/** Undefined when damaged WAL is in the way. */
function endOfArchive(
  { backup, end, until }: TargetSearch,
  scan: WalScan | undefined,
): ResolvedTarget | undefined {
  const record = recordOf(backup)
  const isLater = end?.commit && instantOf(end.commit.time) > instantOf(snapshotEnd(record))
  const asOf = isLater ? until : snapshotEnd(record)
  if (!end || addsNothing(end.record, record))
    return { stop: undefined, requiredLsn: undefined, asOf, scan: undefined }
  if (scan?.damage) return undefined
  const { startLsn, endLsn } = end.record
  const lastCommit = end.commit?.lsn === startLsn ? end.commit.time : undefined
  return { stop: { lsn: startLsn, endLsn, inclusive: true }, requiredLsn: endLsn, asOf, lastCommit, scan }
}

/**
 * Recovery must not be asked to stop before the copy is consistent; and the SWITCH that ends the backup's last segment would only
 * cost a new timeline.
 */
function addsNothing({ startLsn, endLsn }: ArchiveEnd['record'], record: BackupRecord): boolean {
  if (startLsn !== record.stop_lsn) return isBefore(startLsn, record.stop_lsn)
  return parseLsn(endLsn) % BigInt(record.wal_segment_size) === 0n
}

function unreachablePast(scan: WalScan | undefined, missing?: string): Unreachable {
  if (!scan?.damage) return { reason: missing ?? 'its archive is empty', isBehind: true }
  const { damage } = scan
  const { message } = damage.error
  return { reason: missing === undefined ? message : `${missing} that can be read: ${message}`, damage }
}

async function resolveTime(
  input: TargetSearch,
  { time }: Extract<TargetPoint, { kind: 'time' }>,
): Promise<ResolvedTarget | Unreachable> {
  const { backup, end, until, target } = input
  const { stop_lsn } = recordOf(backup)
  const from = instantOf(windowStart(recordOf(backup)))
  if (time < from) return { reason: `${shortInstant(time)} is before the end of its snapshot` }
  if (time > from && time > instantOf(until))
    return { reason: `no WAL after ${shortInstant(instantOf(until))} was archived`, isBehind: true }
  const scan = end && (await input.scanTo({ kind: 'commit', after: time, orAt: target.exclusive ?? false }))
  const { position } = scan ?? {}
  if (position && isBefore(position.lsn, stop_lsn))
    return { reason: `its snapshot has a transaction of ${position.time ?? 'a later time'} in it already` }
  // After the last commit there is nothing that PostgreSQL could stop at; the server was idle then.
  const resolved = position ? stopBefore(position, scan) : endOfArchive(input, scan)
  return resolved ? { ...resolved, asOf: time, notAfter: time } : unreachablePast(scan)
}

async function resolveLsn(
  input: TargetSearch,
  { lsn }: Extract<TargetPoint, { kind: 'lsn' }>,
): Promise<ResolvedTarget | Unreachable> {
  const { backup, end } = input
  const { stop_lsn } = recordOf(backup)
  if (isBefore(lsn, stop_lsn))
    return { reason: `the LSN ${lsn} is before the end of its snapshot, ${stop_lsn}` }
  const last = end?.record.endLsn ?? stop_lsn
  if (isBefore(last, lsn)) return { reason: `the archive ends at the LSN ${last}`, isBehind: true }
  if (!end || isBefore(end.record.startLsn, lsn)) {
    const resolved = await resolveEnd(input)
    return 'reason' in resolved ? resolved : { ...resolved, asOf: undefined }
  }
  return resolveRecord(input, { kind: 'lsn', lsn }, `there is no record at the LSN ${lsn}`)
}

async function resolveRecord(
  input: TargetSearch,
  query: RecordQuery,
  missing: string,
): Promise<ResolvedTarget | Unreachable> {
  const { stop_lsn } = recordOf(input.backup)
  const scan = input.end && (await input.scanTo(query))
  const { position } = scan ?? {}
  if (!position) return unreachablePast(scan, missing)
  if (isBefore(position.lsn, stop_lsn))
    return { reason: `it is at the LSN ${position.lsn}, before the end of the snapshot, ${stop_lsn}` }
  return input.target.exclusive ? stopBefore(position, scan) : stopAfter(position, scan)
}

/** The record before it has been replayed then, of which only the start is known. */
function stopBefore({ lsn, end, previous, time }: RecordPosition, scan: WalScan | undefined): ResolvedTarget {
  return { stop: { lsn, endLsn: end, inclusive: false }, requiredLsn: behind(previous), asOf: time, scan }
}

function stopAfter({ lsn, end, time }: RecordPosition, scan: WalScan | undefined): ResolvedTarget {
  return {
    stop: { lsn, endLsn: end, inclusive: true },
    requiredLsn: behind(lsn),
    asOf: time,
    lastCommit: time,
    scan,
  }
}

function behind(lsn: string): string {
  return formatLsn(parseLsn(lsn) + 1n)
}
