import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type LocalBackup, layoutOf, plainSnapshotOf } from '../catalog/backup.js'
import { isId } from '../catalog/id.js'
import { backupFiles, type RootLayout } from '../catalog/layout.js'
import { readRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { checkNotInUse } from '../removal/in-use.js'
import { replaceDurably, syncPath } from '../system/files/durable.js'
import { markDirectory, unmarkDirectory } from '../system/files/marked-directory.js'
import { removeTree } from '../system/files/remove-tree.js'
import { bytePath } from '../system/paths/byte-path.js'
import { markOfThisProcess } from '../system/process/process-mark.js'

/** A snapshot in its other form, whole and on disk, beside the backup. */
interface FormChange {
  /** The record of the backup with it. */
  record: string
  /** Where the files of the other form lie; those of this one are moved there, to be thrown away. */
  aside: string
}

/**
 * Gives a backup its other form. Its record tells which one counts: so one rename, that of the record, changes it, and before and after
 * that all files that it needs are there. Only under the catalog lock.
 * @param checkUnused is asked when whoever begins to use the backup sees that its form is changed; it throws where somebody does.
 * @throws {PgbkError} `failed` when something lies where the files are to go.
 */
export async function changeForm(
  backup: LocalBackup,
  { record, aside }: FormChange,
  checkUnused: () => void,
): Promise<void> {
  const layout = layoutOf(backup)
  const forms = filesOfForms(backup.directory)
  const [entering, leaving] =
    backup.form === 'plain' ? [forms.packed, forms.plain] : [forms.plain, forms.packed]
  for (const path of entering) checkFree(backup, path)
  await markDirectory(layout.formMarker, { from: backup.form, ...markOfThisProcess() })
  try {
    checkUnused()
    for (const path of entering) await rename(join(aside, basename(path)), path)
    await syncPath(backup.directory)
    await replaceDurably(layout.record, record)
    for (const path of leaving) await rename(path, join(aside, basename(path)))
    await syncPath(backup.directory)
    await unmarkDirectory(layout.formMarker)
  } catch (error) {
    await sweepForm(backup.directory)
    throw error
  }
}

/**
 * Removes what killed changes of a form have left: the files of the form that does not count. Only where no form is changed meanwhile,
 * under the lock of creates. What cannot be removed, or is in use, is told, and keeps nothing else from being done.
 */
export async function sweepForms({ root, backups }: RootLayout, context: Context): Promise<void> {
  for (const name of readdirSync(backups).filter(isId)) {
    const directory = join(backups, name)
    try {
      const { formMarker, marker } = backupFiles(directory)
      if (!existsSync(formMarker) || existsSync(marker)) continue
      checkNotInUse([{ id: name, directory }], root, context)
      await sweepForm(directory)
    } catch (error) {
      context.signal.throwIfAborted()
      context.progress.warn(`what a killed change of its form has left in ${name} stays: ${messageOf(error)}`)
    }
  }
}

async function sweepForm(directory: string): Promise<void> {
  const { formMarker, record } = backupFiles(directory)
  if (!lstatSync(formMarker, { throwIfNoEntry: false })) return
  const { plain, packed } = filesOfForms(directory)
  for (const path of readRecord(record).summary.packed ? plain : packed) await removeTree(bytePath(path))
  await syncPath(directory)
  await rm(formMarker, { force: true })
}

/** Paths of what lies beside `wal/` and the record. */
function filesOfForms(directory: string): { plain: string[]; packed: string[] } {
  const { image, imageReadme } = backupFiles(directory)
  return { plain: [plainSnapshotOf({ directory }).snapshot], packed: [imageReadme, image] }
}

function checkFree({ id }: LocalBackup, path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })) return
  throw new PgbkError('failed', `cannot change the form of ${id}: ${path} is there already`, {
    hint: 'It is no part of the backup. Move it away, or remove it.',
  })
}
