import { basename, dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import { majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import type { Fault } from '../errors.js'
import { type Installation, programOf } from '../postgres/programs/find.js'
import { type ArchivedWal, readArchivedWal } from '../wal-archive/archived-wal.js'
import { removeDamageNotes } from '../wal-archive/notes/damage-notes.js'
import { byDirectory, type IndexedNote, SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { walPool } from '../wal-archive/wal-pool.js'
import { soundWal } from '../wal-coverage/sound-wal.js'
import { findReadableEnd } from '../wal-reading/archive-end.js'
import { scanWal } from '../wal-reading/scan-wal.js'
import type { WalDamage } from '../wal-reading/wal-damage.js'
import { nameIn } from '../wal-segments/archive-segments.js'

/**
 * Reads every record of the unbroken archive by pg_waldump, which knows their checksums: a bit that has flipped inside of a page is
 * found by nothing else. What is noted of its segments is compared with that. None where pg_waldump of this major is not installed.
 */
export async function walRecordFaults(
  backup: LocalBackup,
  installations: Installation[],
  { env, signal, progress }: Context,
): Promise<Fault[]> {
  const [record, layout] = [recordOf(backup), layoutOf(backup)]
  const major = majorOf(record)
  if (readArchivedWal(layout.wal, record).chain.length === 0) return []
  if (programOf(major, 'pg_waldump', installations) === undefined) {
    progress.warn(
      `the records in the WAL archive of ${record.id} are not verified: that needs pg_waldump ${major}`,
    )
    return []
  }
  const { system_identifier: systemIdentifier } = record.server
  const search = { major, installations, env, signal, systemIdentifier }
  const notes = new SegmentNotes(dirname(layout.directory))
  const own = walPool({ root: '', backups: [backup], rejected: [] })
  const options = { env, signal, installations: async () => installations }
  const { wal, read, damage } = await soundWal(backup, own, options, async (wal) => {
    // Unknown where the damage is among the last segments.
    const end = await findReadableEnd({ ...search, wal })
    const read: IndexedNote[] = []
    const compared = { notes, onNotes: (found: IndexedNote[]) => read.push(...found) }
    return { wal, read, ...(await scanWal({ ...search, wal, endLsn: end?.record.endLsn, ...compared })) }
  })
  const wrong = await checkNotes(notes, wal, read, damage)
  if (wrong > 0 && !damage)
    progress.warn(
      `${wrong} of the notes about WAL segments of ${record.id} were wrong, and have been replaced: they only serve to plan a recovery, and are not part of the backup`,
    )
  const replaced = replacedFaults(wal)
  if (damage) return [...replaced, { file: `wal/${wal.chain[damage.index]?.file}`, problem: damage.reason }]
  const isReplaced = (name: string) => replaced.some(({ file }) => file.startsWith(`wal/${name}`))
  const sound = wal.chain.map(({ name }) => name).filter((name) => !isReplaced(name))
  await removeDamageNotes(layout.wal, sound, notes.backups)
  return replaced
}

/** What is damaged where the same archive has it in another form. */
function replacedFaults({ replaced, chain }: ArchivedWal): Fault[] {
  return [...(replaced ?? [])].map(([path, problem]) => {
    const instead = chain.find(({ name }) => name === nameIn(path))
    return { file: `wal/${basename(path)}`, problem: `${problem}; ${instead?.file} beside it is used` }
  })
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
