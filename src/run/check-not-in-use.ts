import type { Backup } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { runningServer } from '../postgres/running.js'
import { findRuns, isRunning } from './run-directory.js'

/** @throws {PgbkError} `failed` when a server runs in one of these backups, or a run works on it. */
export function checkNotInUse(
  backups: Pick<Backup, 'id' | 'layout'>[],
  root: string,
  context: Context,
): void {
  const runs = findRuns(root, context).filter(isRunning)
  for (const backup of backups) {
    const pid = runningServer(backup.layout.data)
    if (pid !== undefined) {
      throw new PgbkError('failed', `a server is running in ${backup.layout.snapshot} (process ${pid})`, {
        hint: 'Stop it first.',
      })
    }
    const run = runs.find(({ marker }) => marker.backup === backup.id)
    if (run) {
      throw new PgbkError('failed', `backup ${backup.id} is in use by the run ${run.name}`, {
        hint: `End it first:  pgbk instance stop ${run.name}`,
      })
    }
  }
}
