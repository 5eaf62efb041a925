import { claimedCluster } from '../catalog/check-cluster.js'
import { PgbkError } from '../errors.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import type { Installation } from '../postgres/programs/find.js'
import type { DamagedCopies } from '../wal-archive/archive-index.js'
import { type ArchivedSegment, type ArchivedWal, withRuns } from '../wal-archive/archived-wal.js'
import { segmentsOfRuns } from '../wal-archive/chain-run.js'
import { readSeamNote, writeSeamNote } from '../wal-archive/notes/seam-note.js'
import { snapshotSegment } from '../wal-archive/snapshot-segment.js'
import type { PooledBackup, WalPool } from '../wal-archive/wal-pool.js'
import { type SeamOverlap, seamsOf, type WalSeam } from '../wal-archive/wal-seams.js'
import { waldumpOf } from '../wal-reading/archive-end.js'
import { isSameHistory } from '../wal-reading/same-history.js'
import { checkSegmentStarts } from '../wal-reading/segment-starts.js'
import { holdsNoRecord, runDump } from '../wal-reading/wal-dump.js'
import { type WaldumpDirectory, withWaldumpDirectory } from '../wal-reading/waldump-directory.js'
import { parseLsn, segmentNumber } from '../wal-segments/lsn.js'
import { writtenTo } from '../wal-segments/written-to.js'

export interface JoiningOptions extends CheckOptions {
  /** Asked for where no segment is in both of two archives, so that they have to be read. */
  installations(): Promise<Installation[]>
  /** The one to go to, in place of the newest. */
  timeline?: number | undefined
  /** Archives that do not count. */
  without?: ReadonlySet<string>
  /** Copies of segments in whose place others are taken. */
  damaged?: DamagedCopies | undefined
}

/**
 * The WAL that a backup can replay, through its own archive and those of other backups of the root, each of which goes on with the very
 * history that the one before has: what both have is the same, or else the records can be read on from one into the other. One that
 * does not is left out.
 * @throws {PgbkError} `programs-missing` when that takes a pg_waldump that is not there; as `walOf` of the pool.
 */
export async function joinedWal(
  backup: PooledBackup,
  pool: WalPool,
  options: JoiningOptions,
): Promise<ArchivedWal> {
  const without = new Set(options.without)
  for (;;) {
    const wal = pool.walOf(backup, { timeline: options.timeline, without, damaged: options.damaged })
    const wrong = await firstWrongSeam(wal, backup, pool, options)
    if (!wrong) return wal
    const { archive, after } = wrong
    without.add(after.directory === wal.directory ? archive : after.directory)
  }
}

async function firstWrongSeam(
  wal: ArchivedWal,
  backup: PooledBackup,
  pool: WalPool,
  options: JoiningOptions,
): Promise<WalSeam | undefined> {
  for (const seam of seamsOf(wal)) {
    const known = pool.seams.get(seam.key) ?? readSeamNote(seam)
    const joins = known ?? (await joinsAt(seam, wal, backup, options))
    if (known === undefined) await writeSeamNote(seam, joins)
    pool.seams.set(seam.key, joins)
    if (!joins) return seam
  }
  return undefined
}

/** What both have tells it, damaged or not; else it has to be read on from one into the other. */
async function joinsAt(
  seam: WalSeam,
  wal: ArchivedWal,
  backup: PooledBackup,
  options: JoiningOptions,
): Promise<boolean> {
  const { env, signal } = options
  const { segmentSize } = wal
  const search = { env, signal, segmentSize, program: () => waldumpFor(backup, options) }
  for (const overlap of [...seam.overlaps(), ...inSnapshot(seam, backup, wal)]) {
    const isSame = await isSameHistory(overlap, search)
    if (isSame !== undefined) return isSame
  }
  return unlessDamaged(() => readsOn(seam, wal, backup, options))
}

/** What came with the snapshot of the backup tells as much as its archive. */
function inSnapshot({ archive, after }: WalSeam, backup: PooledBackup, wal: ArchivedWal): SeamOverlap[] {
  if (archive !== wal.directory || after.form === 'partial') return []
  const one = snapshotSegment(backup, after.name)
  return one ? [{ one, other: after, upTo: wal.segmentSize, previous: [undefined, undefined] }] : []
}

async function waldumpFor({ summary }: PooledBackup, options: JoiningOptions): Promise<string> {
  return waldumpOf(Number.parseInt(summary.server.version, 10), await options.installations())
}

/** Where a segment cannot even be unpacked, nothing is read on. */
async function unlessDamaged(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return false
    throw error
  }
}

/** As many segments as a very long record may fill, on either side. */
const reach = 4n

/** Whether pg_waldump reads on from the last segment of one archive into the first of the next, which is of the same cluster. */
async function readsOn(
  { after }: WalSeam,
  wal: ArchivedWal,
  backup: PooledBackup,
  options: JoiningOptions,
): Promise<boolean> {
  if (after.form === 'partial' && writtenTo(after) === 0) return true
  const program = await waldumpFor(backup, options)
  const near = nearSegments(wal, after)
  return withWaldumpDirectory(program, near, options, async (waldump) => {
    const index = near.chain.indexOf(after)
    const step = { first: index, last: index }
    if (await checkSegmentStarts(waldump, step, claimedCluster(backup) ?? '')) return false
    for (let first = index - 1; first >= 0; first--) {
      const { failure } = await runDump(waldump, first, near.chain.length - 1, nothing)
      if (failure === '') return true
      if (!holdsNoRecord(failure)) return isReadBehind(failure, after, waldump)
    }
    return false
  })
}

const nothing = { args: ['--rmgr=Transaction'], pattern: '^$', lastOnly: true }

function nearSegments(wal: ArchivedWal, { segment }: ArchivedSegment): ArchivedWal {
  const { runs, directory, segmentSize, timelines, faults, histories } = wal
  const near = runs.flatMap((run) =>
    segmentsOfRuns([run], segmentSize)
      .filter((one) => one.segment >= segment - reach && one.segment <= segment + reach)
      .map((one) => ({ ...run, from: one, to: one })),
  )
  return withRuns({ directory, segmentSize, timelines, faults, histories, gap: undefined }, near)
}

function isReadBehind(
  failure: string,
  { segment }: ArchivedSegment,
  { segmentSize }: WaldumpDirectory,
): boolean {
  const lastRecord = /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/.exec(failure)?.[1]
  return lastRecord !== undefined && segmentNumber(parseLsn(lastRecord), segmentSize) >= segment
}
