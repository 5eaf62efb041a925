import type { Backup } from '../backup/catalog.js'
import { type Instant, instantOf, type Moment, type RecoveryWish, shortInstant } from '../backup/moment.js'
import type { RecoveryTarget } from '../backup/recovery-conf.js'
import type { ArchiveEnd, ArchiveEndSearch } from './archive-end.js'
import { findRestorePoint, findTransactionEnd, isBefore, type WalPlace } from './find-in-wal.js'

export interface AimInput {
  backup: Backup
  wish: RecoveryWish
  search: ArchiveEndSearch
  /** Undefined for an empty archive. */
  end: ArchiveEnd | undefined
  /** Until when the archive reaches, ISO 8601. */
  until: string
}

/** What PostgreSQL has to be told to get to a moment. */
export interface Aim {
  /** Undefined when the end of the snapshot is that moment. */
  target?: RecoveryTarget
  inclusive: boolean
  reachLsn?: string | undefined
  notAfter?: Instant | undefined
  asOf: string | undefined
}

/** Why that is not possible. */
export interface NoAim {
  reason: string
}

/** Translates a moment into a recovery target that PostgreSQL will reach. */
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
    case 'xid': {
      const place = await findTransactionEnd(input.search, moment.xid)
      return aimAtPlace(
        input,
        { xid: moment.xid },
        place,
        `transaction ${moment.xid} has no end in the archive`,
      )
    }
    case 'name': {
      const place = await findRestorePoint(input.search, moment.name)
      return aimAtPlace(
        input,
        { name: moment.name },
        place,
        `the archive has no restore point ${moment.name}`,
      )
    }
  }
}

/**
 * The last record's start is the target: its end would never be reached, and without a target PostgreSQL takes damaged WAL for
 * the end. Recovery must not be asked to stop before the copy is consistent.
 */
function aimAtEnd({ backup, end, until }: AimInput): Aim {
  const { record } = backup
  const asOf =
    end?.commit && instantOf(end.commit.time) > instantOf(record.finished_at) ? until : record.finished_at
  if (!end || isBefore(end.record.startLsn, record.stop_lsn)) return { inclusive: true, asOf }
  return { target: { lsn: end.record.startLsn }, inclusive: true, reachLsn: end.record.endLsn, asOf }
}

function aimAtTime(input: AimInput, { time }: Extract<Moment, { kind: 'time' }>): Aim | NoAim {
  const { backup, end, until, wish } = input
  const from = instantOf(backup.record.finished_at)
  if (time < from) return { reason: `${shortInstant(time)} is before the end of its snapshot` }
  if (time > instantOf(until))
    return { reason: `no WAL after ${shortInstant(instantOf(until))} was archived` }
  // After the last commit there is nothing that PostgreSQL could stop at; the server was idle then.
  if (!end?.commit || time > instantOf(end.commit.time))
    return { ...aimAtEnd(input), asOf: time, notAfter: time }
  const inclusive = !wish.exclusive
  return {
    target: { time: time.replace('T', ' ').replace('Z', '+00') },
    inclusive,
    notAfter: time,
    asOf: time,
  }
}

function aimAtLsn(input: AimInput, { lsn }: Extract<Moment, { kind: 'lsn' }>): Aim | NoAim {
  const { backup, end, wish } = input
  const { stop_lsn } = backup.record
  if (isBefore(lsn, stop_lsn))
    return { reason: `the LSN ${lsn} is before the end of its snapshot, ${stop_lsn}` }
  const last = end?.record.endLsn ?? stop_lsn
  if (isBefore(last, lsn)) return { reason: `the archive ends at the LSN ${last}` }
  if (!end || isBefore(end.record.startLsn, lsn)) return { ...aimAtEnd(input), asOf: undefined }
  const inclusive = !wish.exclusive
  return { target: { lsn }, inclusive, reachLsn: inclusive ? lsn : undefined, asOf: undefined }
}

function aimAtPlace(
  { backup, wish }: AimInput,
  target: RecoveryTarget,
  place: WalPlace | undefined,
  missing: string,
): Aim | NoAim {
  if (!place) return { reason: missing }
  if (isBefore(place.lsn, backup.record.stop_lsn)) {
    return {
      reason: `it is at the LSN ${place.lsn}, before the end of the snapshot, ${backup.record.stop_lsn}`,
    }
  }
  return {
    target,
    inclusive: !wish.exclusive,
    reachLsn: wish.exclusive ? undefined : place.lsn,
    asOf: place.time,
  }
}
