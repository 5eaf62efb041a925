import { claimedCluster } from '../catalog/check-cluster.js'
import type { CheckOptions } from '../postgres/programs/check-backup.js'
import type { Installation } from '../postgres/programs/find.js'
import { type ArchivedWal, fromSegment } from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { PooledBackup } from '../wal-archive/wal-pool.js'
import type { WalDamage } from './wal-damage.js'

export interface ReadingOptions extends CheckOptions {
  installations(): Promise<Installation[]>
  /** What is noted need not be read, and what is read is noted. */
  notes?: SegmentNotes | undefined
}

/**
 * Reads a segment as whoever replays it does: from the one before, in which its first record may begin.
 * @returns the damage in it, or before it.
 */
export async function readAround(
  { summary }: PooledBackup,
  wal: ArchivedWal,
  index: number,
  { notes, installations, env, signal }: ReadingOptions,
): Promise<WalDamage | undefined> {
  const systemIdentifier = claimedCluster({ summary })
  const first = wal.chain[Math.max(0, index - 1)]
  if (systemIdentifier === undefined || !first) return undefined
  const { scanStretches } = await import('./scan-stretches.js')
  const part = fromSegment(wal, first.segment)
  const at = index === 0 ? 0 : 1
  const isFinished = (part.chain[at + 1]?.form ?? 'partial') !== 'partial'
  const major = Number.parseInt(summary.server.version, 10)
  const search = { wal: part, major, installations: await installations(), env, signal, notes }
  for await (const stretch of scanStretches({ ...search, systemIdentifier }, isFinished ? at + 1 : at)) {
    // What comes after it is not asked for: it may be unfinished.
    if (stretch.damage) return stretch.damage.index <= at ? stretch.damage : undefined
    if (stretch.first + stretch.facts.length > at) return undefined
  }
  return undefined
}
