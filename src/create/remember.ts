import { existsSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import { type LastCreate, writeLastCreate } from '../catalog/last-create.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'

/**
 * Runs a create and records in `data/backup`, if that is there, how it ended. One that found another at work leaves the record
 * to that one.
 */
export async function remember(
  root: RootLayout,
  scheduled: boolean,
  context: Context,
  work: () => Promise<LocalBackup>,
): Promise<LocalBackup> {
  const started_at = context.now().toISOString()
  const record = (end: Pick<LastCreate, 'ok' | 'backup' | 'error'>) =>
    tryToWrite(
      root,
      { format: 1, scheduled, started_at, finished_at: context.now().toISOString(), ...end },
      context,
    )
  try {
    const backup = await work()
    await record({ ok: true, backup: backup.id, error: null })
    return backup
  } catch (error) {
    const code = error instanceof PgbkError ? error.code : 'failed'
    if (code !== 'locked')
      await record({ ok: false, backup: null, error: { code, message: messageOf(error) } })
    throw error
  }
}

/** On a full disk the backup, or why there is none, matters more. */
async function tryToWrite(root: RootLayout, last: LastCreate, { progress }: Context): Promise<void> {
  if (!existsSync(root.backups)) return
  try {
    await writeLastCreate(root, last)
  } catch (error) {
    progress.detail(`cannot write ${root.lastCreate}: ${messageOf(error)}`)
  }
}
