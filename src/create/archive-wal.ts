import type { BackupLayout } from '../backup/layout.js'
import { formatLsn, parseLsn, parseSegmentName } from '../backup/lsn.js'
import type { WalRange } from '../backup/manifest-parser.js'
import { segmentsOf } from '../backup/segment-range.js'
import { seedWalArchive } from '../backup/wal-archive.js'
import type { Context } from '../context.js'
import { endsWithSwitch } from '../postgres/check-backup.js'
import type { ReachedServer } from '../postgres/reach-server.js'
import { majorVersion } from '../postgres/server-facts.js'
import { programEnvironment } from '../program/program-environment.js'
import { endStandbyWal, furtherSegments, type StandbyWal } from './archive-standby-wal.js'

/** Copies the WAL of the backup, and all that a standby has sent beyond it, into its archive. What it tells of a standby is returned. */
export async function archiveWal(
  server: ReachedServer,
  layout: BackupLayout,
  range: WalRange,
  context: Context,
): Promise<StandbyWal | undefined> {
  const { wal_segment_size: segmentSize, in_recovery } = server.facts
  const further = in_recovery ? await furtherSegments(layout.pgWal, range, segmentSize) : []
  const segments = [...segmentsOf(range, segmentSize).names(), ...further]
  const endsSegment = further.length === 0 && parseLsn(range.endLsn) % BigInt(segmentSize) === 0n
  const lastIsComplete =
    endsSegment ||
    (await endsWithSwitch({
      pgWal: layout.pgWal,
      segment: segments.at(-1) ?? '',
      fromLsn: further.length === 0 ? range.endLsn : startOf(segments.at(-1) ?? '', segmentSize),
      major: majorVersion(server.facts),
      installations: server.installations,
      env: programEnvironment(context.env),
      signal: context.signal,
    }))
  await seedWalArchive({ pgWal: layout.pgWal, archive: layout.wal, segments, segmentSize, lastIsComplete })
  return in_recovery ? endStandbyWal(server, layout, range, further, context) : undefined
}

function startOf(name: string, segmentSize: number): string {
  return formatLsn((parseSegmentName(name, segmentSize)?.segment ?? 0n) * BigInt(segmentSize))
}
