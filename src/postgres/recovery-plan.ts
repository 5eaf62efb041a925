import { type ArchivedWal, type ArchiveGap, readArchivedWal } from '../backup/archived-wal.js'
import type { Backup } from '../backup/catalog.js'
import { parseLsn, segmentNumber } from '../backup/lsn.js'
import type { Moment } from '../backup/moment.js'
import { majorOf } from '../backup/record.js'
import type { RecoveryInput } from '../backup/recovery-conf.js'
import type { Context } from '../context.js'
import { type ArchiveEnd, findArchiveEnd } from './archive-end.js'
import type { ReplayRange } from './await-recovery.js'
import { programEnvironment } from './connection.js'
import type { Installation } from './find.js'
import { checkTablespacesInWal } from './tablespace-records.js'

/** How a copy of a backup gets to the moment that is wanted. */
export interface RecoveryPlan {
  moment: Moment
  /** The WAL after the snapshot that will be replayed. */
  wal: { segments: number; bytes: number }
  range: ReplayRange
  /** What PostgreSQL is told, with a recovery.signal; undefined when the snapshot's own WAL is all there is to replay. */
  recovery: RecoveryInput | undefined
  /** The LSN that must have been replayed at the end. */
  reachLsn: string | undefined
  /** What the data will be as of: the last commit that will be replayed, or the snapshot's end; ISO 8601. */
  asOf: string
  /** Where the archive is broken; nothing after it can be replayed. */
  gap: ArchiveGap | undefined
}

/**
 * Plans the recovery of a copy from the names in the backup's WAL archive and what is at its end; writes nothing.
 * @throws {PgbkError} `programs-missing` without pg_waldump of the backup's major where there is WAL after the snapshot, `damaged`
 * when that cannot be read; as `checkTablespacesInWal`.
 */
export async function planRecovery(
  backup: Backup,
  moment: Moment,
  installations: Installation[],
  { env, signal }: Context,
): Promise<RecoveryPlan> {
  const { record, layout } = backup
  const wal = readArchivedWal(layout.wal, record)
  const snapshotOnly: RecoveryPlan = {
    moment,
    wal: { segments: 0, bytes: 0 },
    range: { startLsn: record.start_lsn, endLsn: record.stop_lsn },
    recovery: undefined,
    reachLsn: undefined,
    asOf: record.finished_at,
    gap: wal.gap,
  }
  if (moment.kind === 'snapshot' || wal.chain.length === 0) return snapshotOnly
  const from = segmentNumber(parseLsn(record.stop_lsn), record.wal_segment_size) - 1n
  const search = { wal, major: majorOf(record), installations, env: programEnvironment(env), signal, from }
  const { record: last, commit } = await findArchiveEnd(search)
  if (addsNothing(last, record)) return snapshotOnly
  await checkTablespacesInWal({ ...search, fromLsn: record.stop_lsn })
  return {
    ...snapshotOnly,
    wal: measureAfter(wal, parseLsn(record.stop_lsn)),
    range: { startLsn: record.start_lsn, endLsn: last.endLsn },
    recovery: {
      archive: layout.wal,
      // The end of the last record would never be reached.
      target: { lsn: last.startLsn },
      timeline: last.timeline,
      inclusive: true,
      action: 'promote',
    },
    reachLsn: last.endLsn,
    asOf:
      commit && Date.parse(commit.time) > Date.parse(record.finished_at) ? commit.time : record.finished_at,
  }
}

/**
 * Recovery must not be asked to stop before the copy is consistent; and the SWITCH that ends the backup's last segment would only
 * cost a new timeline.
 */
function addsNothing({ startLsn, endLsn }: ArchiveEnd['record'], record: Backup['record']): boolean {
  const [start, stop] = [parseLsn(startLsn), parseLsn(record.stop_lsn)]
  return start < stop || (start === stop && parseLsn(endLsn) % BigInt(record.wal_segment_size) === 0n)
}

/** The segments that hold WAL from this position on. */
function measureAfter({ chain, segmentSize }: ArchivedWal, lsn: bigint): RecoveryPlan['wal'] {
  const after = chain.filter(({ segment }) => (segment + 1n) * BigInt(segmentSize) > lsn)
  return { segments: after.length, bytes: after.reduce((sum, { bytes }) => sum + bytes, 0) }
}
