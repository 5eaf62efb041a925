import { existsSync, lstatSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { messageOf, PgbkError } from '../errors.js'
import { syncPath } from '../system/files/durable.js'
import { type LocalBackup, layoutOf } from './backup.js'
import type { RootLayout } from './layout.js'
import { discard } from './partial.js'

/**
 * Removes a backup. First its record becomes the marker: one step, that needs no space on a full disk, and from then on it is
 * no backup but something to throw away. Only under the catalog lock.
 * @param last what has to be done once it is no longer a backup, before its files are removed.
 * @throws {PgbkError} `failed`.
 */
export async function removeBackup(
  root: RootLayout,
  backup: LocalBackup,
  last: () => Promise<void> = async () => {},
): Promise<void> {
  const layout = layoutOf(backup)
  if (!lstatSync(backup.directory).isDirectory()) {
    throw new PgbkError('failed', `cannot remove ${backup.id}: ${backup.directory} is a symbolic link`, {
      hint: 'It leads to files that are elsewhere. Remove these, and the link, by hand.',
    })
  }
  try {
    await rename(layout.record, layout.marker)
    await syncPath(backup.directory)
    await last()
    await discard(layout)
    await syncPath(root.backups)
  } catch (cause) {
    throw new PgbkError('failed', `cannot remove ${backup.id}: ${messageOf(cause)}`, {
      cause,
      hint: existsSync(layout.record)
        ? 'Nothing of it was removed.'
        : 'What is left is no longer a backup; the next create removes it.',
    })
  }
}
