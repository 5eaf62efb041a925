import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename } from 'node:path'
import type { LocalBackup } from '../catalog/backup.js'
import { type BackupFiles, backupFiles, type RootLayout } from '../catalog/layout.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import { noteUpload, readUploadNote, type UploadNote, uploadsIn } from '../catalog/uploads/upload-note.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { withLock } from '../system/files/lock.js'
import { removeMarked } from '../system/files/marked-directory.js'
import { namesIn } from '../system/paths/names-in.js'

/**
 * Works in the upload directory of a backup, a new one or one that a killed upload has left; nobody removes the backup meanwhile. It goes
 * at the end, unless there is something in it for the next upload.
 * @param work returns whether all of it is done.
 * @throws {PgbkError} `locked` when another upload works there; `not-found` when the backup was removed; `failed` when it is not pgbk's.
 */
export async function withUploadDirectory(
  root: RootLayout,
  backup: LocalBackup,
  context: Context,
  work: (files: BackupFiles, guarded: Context) => Promise<boolean>,
): Promise<void> {
  const files = backupFiles(root.upload(backup.id))
  await makeDirectory(files.directory)
  await withLock(files.uploadLock, { purpose: `upload of ${backup.id}` }, context, async (guarded) => {
    checkOwn(files)
    await noteUpload(files, backup.id)
    let isDone = false
    try {
      // Who removes it looks for the note first.
      checkStillThere(backup)
      isDone = await work(files, guarded)
    } finally {
      if (isDone || !isUseful(files)) await removeMarked(files.uploadMarker)
    }
  })
}

/** An image that is whole; or, where the backup has its own, what tells how far it was sent. */
function isUseful({ directory, image, record, uploadLock, uploadMarker }: BackupFiles): boolean {
  if (existsSync(record) || existsSync(image)) return existsSync(record)
  const own = [basename(uploadLock), basename(uploadMarker)]
  return namesIn(directory).some((name) => !own.includes(name))
}

/** Removes what killed uploads have left and no other will use. What cannot be removed is told, and keeps nothing from being done. */
export async function sweepUploads(root: RootLayout, context: Context): Promise<void> {
  for (const note of uploadsIn(root))
    if (note.life !== 'alive' && isForgotten(root, note))
      await remove(note, 'the remains of an upload that did not end', context)
}

/** Removes what was packed to be sent, but for that of the oldest backup, which is the next to be sent: the disk here is not to fill with it. */
export async function keepOneImage(root: RootLayout, context: Context): Promise<void> {
  const waiting = uploadsIn(root).filter(({ files }) => existsSync(files.image))
  const [, ...others] = waiting.sort((a, b) => (a.backup < b.backup ? -1 : 1))
  for (const note of others) await remove(note, 'which is packed anew when it can be sent', context)
}

async function remove({ files }: UploadNote, what: string, context: Context): Promise<void> {
  try {
    await withLock(files.uploadLock, { purpose: 'sweep' }, context, async (_guarded, lock) => {
      await lock.check()
      await removeMarked(files.uploadMarker)
    })
    context.progress.say(`removed ${files.directory}, ${what}`)
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof PgbkError && error.code === 'locked') return
    context.progress.warn(`${files.directory} stays: ${messageOf(error)}`)
  }
}

/** Half an image, or one of a backup that has gone, or is packed by now. */
function isForgotten(root: RootLayout, { backup, files }: UploadNote): boolean {
  const still = backupFiles(root.backup(backup))
  const isPackedHere = existsSync(still.image)
  return !existsSync(still.record) || !isUseful(files) || (isPackedHere && existsSync(files.image))
}

/** @throws {PgbkError} `failed` for a directory with files in it and without a marker. */
function checkOwn(files: BackupFiles): void {
  if (readUploadNote(files.directory)) return
  if (namesIn(files.directory).every((name) => /^\.pgbk-/.test(name))) return
  throw new PgbkError('failed', `${files.directory} is in the way: nothing in it shows that pgbk made it`, {
    hint: 'Find out what it is, and move it away.',
  })
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}
