import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Fault } from '../catalog/fault.js'
import type { BackupLayout } from '../catalog/layout.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { type Installation, programOf } from '../postgres/programs/find.js'
import { type ArchivedWal, readArchivedWal } from '../wal-archive/archived-wal.js'
import { removeDamageNotes } from '../wal-archive/notes/damage-notes.js'
import { byDirectory, type IndexedNote, SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { findReadableEnd } from '../wal-reading/archive-end.js'
import { scanWal } from '../wal-reading/scan-wal.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'

/**
 * Reads every record of the unbroken archive by pg_waldump, which knows their checksums: a bit that has flipped inside of a page is
 * found by nothing else. What is noted of its segments is compared with that. None where pg_waldump of this major is not installed.
 */
export async function walRecordFaults(
  record: BackupRecord,
  layout: BackupLayout,
  installations: Installation[],
  { env, signal, progress }: Context,
): Promise<Fault[]> {
  const major = majorOf(record)
  const wal = readArchivedWal(layout.wal, record)
  if (wal.chain.length === 0) return []
  if (programOf(major, 'pg_waldump', installations) === undefined) {
    progress.warn(
      `the records in the WAL archive of ${record.id} are not verified: that needs pg_waldump ${major}`,
    )
    return []
  }
  const { system_identifier: systemIdentifier } = record.server
  const search = { wal, major, installations, env, signal, systemIdentifier }
  // Unknown where the damage is among the last segments.
  const end = await findReadableEnd(search)
  const notes = new SegmentNotes(dirname(layout.directory))
  const read: IndexedNote[] = []
  const compared = { notes, onNotes: (found: IndexedNote[]) => read.push(...found) }
  const { damage } = await scanWal({ ...search, endLsn: end?.record.endLsn, ...compared })
  const wrong = await checkNotes(notes, wal, read, damage)
  if (wrong > 0 && !damage)
    progress.warn(
      `${wrong} of the notes about WAL segments of ${record.id} were wrong, and have been replaced: they only serve to plan a recovery, and are not part of the backup`,
    )
  if (!damage) {
    const sound = wal.chain.map(({ name }) => name)
    await removeDamageNotes(layout.wal, sound, notes.backups)
    return []
  }
  const segment = wal.chain[damage.index]
  return [{ file: `wal/${segment?.file}`, problem: damage.reason }]
}

/**
 * Compares the notes about the segments of a chain with what was read of all those that have one. Where one is wrong, those of its
 * archive are replaced by what was read: they are not part of the backup, and wrong ones are not a fault of it.
 * @returns how many were wrong.
 */
async function checkNotes(
  book: SegmentNotes,
  { chain }: ArchivedWal,
  read: IndexedNote[],
  damage: WalDamage | undefined,
): Promise<number> {
  const right = new Map(read.map(({ index, note }) => [index, note]))
  const isWrong = (index: number) => {
    const [segment, found] = [chain[index], right.get(index)]
    const noted = segment ? book.fitting(segment) : []
    if (damage && damage.index <= index + 1) return noted.length > 0
    return (
      found !== undefined && noted.some((one) => one.next === found.next && !isDeepStrictEqual(one, found))
    )
  }
  const wrong = chain.flatMap(({ directory }, index) => (isWrong(index) ? [directory] : []))
  const good = byDirectory(chain, read)
  for (const directory of new Set(wrong)) await book.replace(directory, good.get(directory) ?? [])
  return wrong.length
}
