import type { BackupLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { endsWithSwitch } from '../postgres/programs/check-backup.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import type { WalRange } from '../snapshot/manifest/manifest-parser.js'
import { seedWalArchive } from '../wal-archive/wal-archive.js'
import { formatLsn, parseLsn, parseSegmentName } from '../wal-segments/lsn.js'
import { segmentRange } from '../wal-segments/segment-range.js'
import { endStandbyWal, furtherSegments, type StandbyWal } from './archive-standby-wal.js'

/** Copies the WAL of the backup, and all that a standby has sent beyond it, into its archive. What it tells of a standby is returned. */
export async function archiveWal(
  server: ConnectedServer,
  layout: BackupLayout,
  range: WalRange,
  context: Context,
): Promise<StandbyWal | undefined> {
  const { wal_segment_size: segmentSize, in_recovery } = server.facts
  const further = in_recovery ? await furtherSegments(layout.pgWal, range, segmentSize) : []
  const segments = [...segmentRange(range, segmentSize).names(), ...further]
  const endsSegment = further.length === 0 && parseLsn(range.endLsn) % BigInt(segmentSize) === 0n
  const lastIsComplete =
    endsSegment ||
    (await endsWithSwitch({
      pgWal: layout.pgWal,
      segment: segments.at(-1) ?? '',
      fromLsn: further.length === 0 ? range.endLsn : startOf(segments.at(-1) ?? '', segmentSize),
      major: majorVersion(server.facts),
      installations: server.installations,
      env: context.env,
      signal: context.signal,
    }))
  await seedWalArchive({ pgWal: layout.pgWal, archive: layout.wal, segments, segmentSize, lastIsComplete })
  return in_recovery ? endStandbyWal(server, layout, range, further, context) : undefined
}

function startOf(name: string, segmentSize: number): string {
  return formatLsn((parseSegmentName(name, segmentSize)?.segment ?? 0n) * BigInt(segmentSize))
}
