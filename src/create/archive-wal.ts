import { readdir } from 'node:fs/promises'
import type { BackupLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { endsWithSwitch } from '../postgres/programs/check-backup.js'
import { programOf } from '../postgres/programs/find.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import type { WalRange } from '../snapshot/manifest/manifest-parser.js'
import { type ArchivedWal, readArchivedWal, walOfSegments } from '../wal-archive/archived-wal.js'
import { seedWalArchive } from '../wal-archive/wal-archive.js'
import { type ArchiveEndSearch, findReadableEnd } from '../wal-reading/archive-end.js'
import { formatLsn, lastSegmentBefore, parseLsn, parseSegmentName, segmentName } from '../wal-segments/lsn.js'
import { segmentRange } from '../wal-segments/segment-range.js'
import { trimWal } from './trim-wal.js'

/** What the WAL that came with a backup of a standby tells of its snapshot. */
export interface StandbyWal {
  /** The time of the last commit that the snapshot has; null when there is none in the backup's WAL, undefined when nobody can tell. */
  lastCommit: string | null | undefined
  /** Whether the archive has commits that the snapshot has not. */
  hasMore: boolean
}

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
  return in_recovery ? endStandbyWal({ server, layout, range }, further, context) : undefined
}

function startOf(name: string, segmentSize: number): string {
  return formatLsn((parseSegmentName(name, segmentSize)?.segment ?? 0n) * BigInt(segmentSize))
}

/** Segments that a standby has sent beyond the backup's end: it sends what it has received, replayed or not. */
async function furtherSegments(
  pgWal: string,
  { timeline, endLsn }: WalRange,
  segmentSize: number,
): Promise<string[]> {
  const there = new Set(await readdir(pgWal))
  const further: string[] = []
  for (let number = lastSegmentBefore(endLsn, segmentSize) + 1n; ; number++) {
    const name = segmentName(timeline, number, segmentSize)
    if (!there.has(name)) return further
    further.push(name)
  }
}

/** Once the archive has all of it, the snapshot itself keeps the WAL up to the backup's end alone. */
async function endStandbyWal(
  { server, layout, range }: { server: ConnectedServer; layout: BackupLayout; range: WalRange },
  further: string[],
  { env, signal }: Context,
): Promise<StandbyWal> {
  const size = server.facts.wal_segment_size
  const wasTrimmed = await trimWal(layout.pgWal, range, size, further)
  const { installations } = server
  const major = majorVersion(server.facts)
  if (programOf(major, 'pg_waldump', installations) === undefined)
    return { lastCommit: undefined, hasMore: wasTrimmed }
  const search = { major, installations, env, signal }
  const own = await commitAtEnd({ ...search, wal: ownWal(layout.pgWal, range, size) })
  const needs = { timeline: range.timeline, start_lsn: range.startLsn, stop_lsn: range.endLsn }
  const wal = readArchivedWal(layout.wal, { ...needs, wal_segment_size: size })
  const last = wasTrimmed
    ? await commitAtEnd({ ...search, wal, from: lastSegmentBefore(range.endLsn, size) - 1n })
    : null
  // Where its end cannot be read, nobody knows.
  const hasMore = last === undefined || (last !== null && parseLsn(last.lsn) >= parseLsn(range.endLsn))
  return { lastCommit: own === undefined ? undefined : (own?.time ?? null), hasMore }
}

/** Undefined where the end cannot be read. */
async function commitAtEnd(
  search: ArchiveEndSearch,
): Promise<{ lsn: string; time: string } | null | undefined> {
  const end = await findReadableEnd(search)
  return end && (end.commit ?? null)
}

/** The segments in the snapshot, which is an archive that ends somewhere in its last segment. */
function ownWal(pgWal: string, range: WalRange, segmentSize: number): ArchivedWal {
  const names = [...segmentRange(range, segmentSize).names()]
  const first = lastSegmentBefore(range.endLsn, segmentSize) - BigInt(names.length - 1)
  const chain = names.map((name, index) => ({
    name,
    directory: pgWal,
    file: name,
    timeline: range.timeline,
    segment: first + BigInt(index),
    form: index === names.length - 1 ? ('partial' as const) : ('raw' as const),
    bytes: segmentSize,
  }))
  return walOfSegments(pgWal, chain, segmentSize)
}
