import { dirname } from 'node:path'
import type { BackupLayout } from '../catalog/layout.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { type Installation, programOf } from '../postgres/programs/find.js'
import { readArchivedWal } from '../wal-archive/archived-wal.js'
import { removeDamageNotes } from '../wal-archive/notes/damage-notes.js'
import { type IndexedNote, SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { findReadableEnd } from '../wal-reading/archive-end.js'
import { scanWal } from '../wal-reading/scan-wal.js'
import { checkNotes } from './check-notes.js'
import type { Fault } from './fault.js'

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
