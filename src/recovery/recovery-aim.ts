import { type LocalBackup, recordOf } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import type { BackupRecord } from '../catalog/record.js'
import { snapshotEnd } from '../catalog/record.js'
import { type Instant, instantOf, shortInstant } from '../text/instant.js'
import type { ArchiveEnd } from '../wal-reading/archive-end.js'
import type { WalAhead } from '../wal-reading/look-ahead.js'
import { isBefore, type WalPlace, type WalSeek } from '../wal-reading/seek-in-wal.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'
import { formatLsn, parseLsn } from '../wal-segments/lsn.js'
import type { Moment, RecoveryWish } from './moment.js'

export interface AimInput {
  backup: LocalBackup
  wish: RecoveryWish
  /** Undefined for an empty archive. */
  end: ArchiveEnd | undefined
  /** Until when the archive reaches, ISO 8601. */
  until: string
  /** Reads the WAL up to what is sought, or to its end. */
  look(seek?: WalSeek): Promise<WalAhead>
}

/** The record at which recovery ends, and whether it is replayed too. It is read in any case. */
export interface RecoveryStop {
  lsn: string
  endLsn: string
  inclusive: boolean
}

/** At which record a recovery stops to get to a moment. */
export interface Aim {
  /** Undefined when the end of the snapshot is that moment. */
  stop: RecoveryStop | undefined
  /** The LSN that must have been replayed at the end. */
  reachLsn: string | undefined
  notAfter?: Instant | undefined
  asOf: string | undefined
  /** When the transaction was ended whose end is the last record that is replayed. */
  lastCommit?: Instant | undefined
  /** What is in the WAL on the way there. */
  ahead: WalAhead | undefined
}

/** Why that is not possible. */
export interface NoAim {
  reason: string
  /** What is in the way, where it is that. */
  damage?: WalDamage | undefined
  /** It is behind all that is in the archive, as far as that shows. */
  isBehind?: boolean
}

/**
 * Translates a moment into the record at which PostgreSQL has to stop. It is told the record's LSN, whatever the moment is: a time or
 * a transaction it may pass, or miss, in silence.
 */
export async function aimAt(input: AimInput): Promise<Aim | NoAim> {
  const { moment } = input.wish
  switch (moment.kind) {
    case 'snapshot':
    case 'latest':
      return aimAtEnd(input)
    case 'time':
      return aimAtTime(input, moment)
    case 'lsn':
      return aimAtLsn(input, moment)
    case 'xid':
      return aimAtRecord(input, moment, `transaction ${moment.xid} has no end in the archive`)
    case 'name': {
      const seek: WalSeek = { ...moment, from: recordOf(input.backup).stop_lsn }
      return aimAtRecord(
        input,
        seek,
        `the archive has no restore point ${JSON.stringify(moment.name)} after its snapshot`,
      )
    }
  }
}

/**
 * The last record's start is the target: its end would never be reached, and without a target PostgreSQL takes damaged WAL for
 * the end. Recovery must not be asked to stop before the copy is consistent.
 */
async function aimAtEnd(input: AimInput): Promise<Aim | NoAim> {
  const ahead = input.end && (await input.look())
  return endAim(input, ahead) ?? noWayPast(ahead)
}

/** Undefined when damaged WAL is in the way. */
function endAim({ backup, end, until }: AimInput, ahead: WalAhead | undefined): Aim | undefined {
  const record = recordOf(backup)
  const isLater = end?.commit && instantOf(end.commit.time) > instantOf(snapshotEnd(record))
  const asOf = isLater ? until : snapshotEnd(record)
  if (!end || addsNothing(end.record, record))
    return { stop: undefined, reachLsn: undefined, asOf, ahead: undefined }
  if (ahead?.damage) return undefined
  const { startLsn, endLsn } = end.record
  const lastCommit = end.commit?.lsn === startLsn ? end.commit.time : undefined
  return { stop: { lsn: startLsn, endLsn, inclusive: true }, reachLsn: endLsn, asOf, lastCommit, ahead }
}

/**
 * Recovery must not be asked to stop before the copy is consistent; and the SWITCH that ends the backup's last segment would only
 * cost a new timeline.
 */
function addsNothing({ startLsn, endLsn }: ArchiveEnd['record'], record: BackupRecord): boolean {
  if (startLsn !== record.stop_lsn) return isBefore(startLsn, record.stop_lsn)
  return parseLsn(endLsn) % BigInt(record.wal_segment_size) === 0n
}

function noWayPast(ahead: WalAhead | undefined, missing?: string): NoAim {
  if (!ahead?.damage) return { reason: missing ?? 'its archive is empty', isBehind: true }
  const { damage } = ahead
  const { message } = damage.error
  return { reason: missing === undefined ? message : `${missing} that can be read: ${message}`, damage }
}

async function aimAtTime(input: AimInput, { time }: Extract<Moment, { kind: 'time' }>): Promise<Aim | NoAim> {
  const { backup, end, until, wish } = input
  const { stop_lsn } = recordOf(backup)
  const from = instantOf(windowStart(recordOf(backup)))
  if (time < from) return { reason: `${shortInstant(time)} is before the end of its snapshot` }
  if (time > from && time > instantOf(until))
    return { reason: `no WAL after ${shortInstant(instantOf(until))} was archived`, isBehind: true }
  const ahead = end && (await input.look({ kind: 'commit', after: time, orAt: wish.exclusive ?? false }))
  const { place } = ahead ?? {}
  if (place && isBefore(place.lsn, stop_lsn))
    return { reason: `its snapshot has a transaction of ${place.time ?? 'a later time'} in it already` }
  // After the last commit there is nothing that PostgreSQL could stop at; the server was idle then.
  const aim = place ? stopBefore(place, ahead) : endAim(input, ahead)
  return aim ? { ...aim, asOf: time, notAfter: time } : noWayPast(ahead)
}

async function aimAtLsn(input: AimInput, { lsn }: Extract<Moment, { kind: 'lsn' }>): Promise<Aim | NoAim> {
  const { backup, end } = input
  const { stop_lsn } = recordOf(backup)
  if (isBefore(lsn, stop_lsn))
    return { reason: `the LSN ${lsn} is before the end of its snapshot, ${stop_lsn}` }
  const last = end?.record.endLsn ?? stop_lsn
  if (isBefore(last, lsn)) return { reason: `the archive ends at the LSN ${last}`, isBehind: true }
  if (!end || isBefore(end.record.startLsn, lsn)) {
    const aim = await aimAtEnd(input)
    return 'reason' in aim ? aim : { ...aim, asOf: undefined }
  }
  return aimAtRecord(input, { kind: 'lsn', lsn }, `there is no record at the LSN ${lsn}`)
}

async function aimAtRecord(input: AimInput, seek: WalSeek, missing: string): Promise<Aim | NoAim> {
  const { stop_lsn } = recordOf(input.backup)
  const ahead = input.end && (await input.look(seek))
  const { place } = ahead ?? {}
  if (!place) return noWayPast(ahead, missing)
  if (isBefore(place.lsn, stop_lsn))
    return { reason: `it is at the LSN ${place.lsn}, before the end of the snapshot, ${stop_lsn}` }
  return input.wish.exclusive ? stopBefore(place, ahead) : stopAfter(place, ahead)
}

/** The record before it has been replayed then, of which only the start is known. */
function stopBefore({ lsn, end, previous, time }: WalPlace, ahead: WalAhead | undefined): Aim {
  return { stop: { lsn, endLsn: end, inclusive: false }, reachLsn: behind(previous), asOf: time, ahead }
}

function stopAfter({ lsn, end, time }: WalPlace, ahead: WalAhead | undefined): Aim {
  return {
    stop: { lsn, endLsn: end, inclusive: true },
    reachLsn: behind(lsn),
    asOf: time,
    lastCommit: time,
    ahead,
  }
}

function behind(lsn: string): string {
  return formatLsn(parseLsn(lsn) + 1n)
}
