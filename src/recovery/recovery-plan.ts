import { basename, dirname } from 'node:path'
import { type LocalBackup, recordOf } from '../catalog/backup.js'
import { snapshotEnd } from '../catalog/record.js'
import type { PgbkError } from '../errors.js'
import type { Instant } from '../text/instant.js'
import type { ArchivedWal, ArchiveGap } from '../wal-archive/archived-wal.js'
import type { ArchiveEnd } from '../wal-reading/archive-end.js'
import type { NewTablespace } from '../wal-reading/scan-wal.js'
import { formatLsn, isBefore, lastSegmentBefore, parseLsn } from '../wal-segments/lsn.js'
import type { ReplayRange } from './await-recovery.js'
import { archiveParts, damagedForms, minimumsIn, type RecoveryInput } from './recovery-conf.js'
import { describePoint, type RecoveryTarget } from './recovery-target.js'
import type { ResolvedTarget, StopPoint } from './resolve-target.js'

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

/** What a plan says of the way to a stop point. */
export function wayTo(
  { backup, target }: { backup: LocalBackup; target: RecoveryTarget },
  { stop, scan, requiredLsn, notAfter, asOf, lastCommit }: ResolvedTarget & { stop: StopPoint },
  { wal, end }: { wal: ArchivedWal; end: ArchiveEnd },
): Partial<RecoveryPlan> {
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
      damaged: damagedForms(wal),
      timeline,
      stop,
      lastSegment,
      segmentSize: record.wal_segment_size,
      minimums: scan?.minimums ?? {},
      action: target.pause ? 'pause' : 'promote',
    },
    requiredLsn,
    notAfter,
    asOf,
    noted: scan?.noted ?? [],
    newTablespaces: (scan?.tablespaces ?? []).filter(({ lsn }) => !isBefore(lsn, record.stop_lsn)),
  }
}

/** Where no WAL but that of the snapshot is replayed. */
export function snapshotOnly(backup: LocalBackup, target: RecoveryTarget): RecoveryPlan {
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

/** The segments that hold WAL between two positions. */
function measureBetween({ chain, segmentSize }: ArchivedWal, from: bigint, to: bigint): RecoveryPlan['wal'] {
  const size = BigInt(segmentSize)
  const between = chain.filter(({ segment }) => (segment + 1n) * size > from && segment * size <= to)
  return { segments: between.length, bytes: between.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/**
 * A plan that sets nothing which the snapshot's configuration has already: of what the server's settings were raised to, what is above.
 * @throws as `minimumsIn`.
 */
export function aboveConf(plan: RecoveryPlan, conf: string): RecoveryPlan {
  const { recovery } = plan
  if (!recovery) return plan
  const own = minimumsIn(conf)
  const higher = Object.entries(recovery.minimums).filter(([name, value]) => value > (own[name] ?? 0))
  return { ...plan, recovery: { ...recovery, minimums: Object.fromEntries(higher) } }
}
