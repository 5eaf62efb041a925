import { isDeepStrictEqual } from 'node:util'
import { rootLayout } from '../catalog/layout.js'
import { PgbkError } from '../errors.js'
import { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import type { OpenedBackup } from './open-backup.js'

/**
 * What to do about a replay that failed though all was well by the notes beside its WAL: bits may have flipped in a file that nobody
 * has written to. The notes are forgotten, and all is read.
 * @param open plans as before, and reads all WAL.
 * @returns another way to the target, where the WAL leads to one.
 * @throws the error, where the notes have nothing to do with it; as `open`, which tells the damage.
 */
export async function readAgain(
  error: unknown,
  { backup, recovery }: Pick<OpenedBackup, 'backup' | 'recovery'>,
  root: string,
  open: () => Promise<OpenedBackup>,
): Promise<OpenedBackup> {
  const isOfReplay = error instanceof PgbkError && ['failed', 'damaged'].includes(error.code)
  if (!isOfReplay || recovery.noted.length === 0) throw error
  const notes = new SegmentNotes(rootLayout(root).backups)
  for (const archive of recovery.noted) await notes.replace(archive, [])
  const opened = await open()
  const isSame = opened.backup.id === backup.id
  if (isSame && isDeepStrictEqual(opened.recovery.recovery, recovery.recovery)) throw error
  return opened
}
