import { basename, dirname } from 'node:path'
import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Installation } from '../postgres/programs/find.js'
import { type ArchivedSegment, type ArchivedWal, fromSegment, lastOf } from '../wal-archive/archived-wal.js'
import type { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { type ArchiveEndSearch, findArchiveEnd } from '../wal-reading/archive-end.js'
import { scanWal } from '../wal-reading/scan-wal.js'
import { DamagedSegment, damageIn } from '../wal-reading/wal-damage.js'
import { endKey, filesAtEnd, type KnownEnd, readKnownEnd, writeKnownEnd } from './window.js'

/** Finds the ends of chains, which many backups have in common, and remembers them in the archives. */
export interface EndFinder {
  /** The end of the last record, and the last commit of the chain. @throws {PgbkError} as `findArchiveEnd`. */
  endOf(backup: LocalBackup, wal: ArchivedWal): Promise<Pick<KnownEnd, 'end_lsn' | 'commit'>>
}

/** The last commit of a chain that begins with this segment, or with any one when there is a commit. */
interface Remembered {
  end: Pick<KnownEnd, 'end_lsn' | 'commit'>
  since: bigint
}

export function findEnds(
  installations: () => Promise<Installation[]>,
  context: Context,
  notes: SegmentNotes,
): EndFinder {
  const { env, signal } = context
  const ends = new Map<string, Remembered | PgbkError>()
  return {
    endOf: async (backup, wal) => {
      const last = lastOf(wal)
      if (!last) throw new PgbkError('damaged', `there is no WAL in ${wal.directory}`)
      const since = wal.runs[0]?.from.segment ?? 0n
      const key = `${last.directory}/${endKey(wal)}`
      const known = rememberedOf(ends.get(key), wal)
      if (known && (known.end.commit || known.since <= since)) return known.end
      try {
        const end =
          knownEnd(wal, last) ??
          (await readEnd(backup, wal, last, { env, signal, notes, installations: await installations() }))
        ends.set(key, { end, since })
        return end
      } catch (error) {
        if (error instanceof PgbkError) ends.set(key, error)
        throw error
      }
    },
  }
}

/** @throws the error that was met; but of a damaged copy, another chain that ends there may have a sound one. */
function rememberedOf(
  known: Remembered | PgbkError | undefined,
  { chain }: ArchivedWal,
): Remembered | undefined {
  if (!(known instanceof PgbkError)) return known
  if (!(known instanceof DamagedSegment) || damageIn(chain, known)) throw known
  return undefined
}

/** What is noted in the archive at the end counts for all chains that lead there, but that there is no commit only for its own. */
function knownEnd(wal: ArchivedWal, last: ArchivedSegment): KnownEnd | undefined {
  const noted = readKnownEnd(last.directory)
  if (noted?.through === endKey(wal) && (noted.commit || last.directory === wal.directory)) return noted
  if (last.directory === wal.directory) return undefined
  const own = readKnownEnd(wal.directory)
  return own?.through === elsewhere(last, wal) ? own : undefined
}

/** The same for an end in another archive. */
function elsewhere(last: ArchivedSegment, wal: ArchivedWal): string {
  return `${basename(dirname(last.directory))} ${endKey(wal)}`
}

async function readEnd(
  { summary }: LocalBackup,
  wal: ArchivedWal,
  last: ArchivedSegment,
  options: Pick<ArchiveEndSearch, 'installations' | 'notes' | 'env' | 'signal'>,
): Promise<KnownEnd> {
  const isOwn = last.directory === wal.directory
  const noted = readKnownEnd(last.directory)
  const isFurther =
    noted !== undefined && BigInt(noted.segment) <= last.segment && (isOwn || noted.commit !== null)
  const major = Number.parseInt(summary.server.version, 10)
  const from = isFurther ? BigInt(noted.segment) : undefined
  const through = endKey(wal)
  const search = { ...options, wal, major, from }
  const { record, commit: found } = await judged(search, summary, () => findArchiveEnd(search))
  const commit = found ?? (isFurther ? noted.commit : null)
  const end = { through, segment: String(last.segment), end_lsn: record.endLsn, commit }
  if (isOwn || commit) writeKnownEnd(last.directory, { ...end, files: filesAtEnd(wal) })
  else writeKnownEnd(wal.directory, { ...end, through: elsewhere(last, wal) })
  return end
}

/** What is damaged among the last segments is told in the words of whoever reads all of them to replay them. */
async function judged<T>(
  search: ArchiveEndSearch,
  summary: StoredBackup['summary'],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { chain } = search.wal
    const damage = error instanceof DamagedSegment ? damageIn(chain, error) : undefined
    if (!damage) throw error
    const systemIdentifier = claimedCluster({ summary }) ?? ''
    const wal = fromSegment(search.wal, chain[Math.max(0, damage.index - 1)]?.segment ?? 0n)
    // Bits may have flipped in a file that looks as it was noted.
    const scan = await scanWal({ ...search, wal, systemIdentifier, onNotes: () => {} })
    throw scan.damage?.error ?? error
  }
}
