import type { Backup } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { readInstances } from '../instances/instance.js'
import { runningServer } from '../postgres/running.js'
import { findRuns, isRunning } from '../run/run-directory.js'

/**
 * Makes sure that nobody needs these backups at this moment.
 * @throws {PgbkError} `failed`, naming the server, run or instance that does.
 */
export function checkNotInUse(
  backups: Pick<Backup, 'id' | 'layout'>[],
  root: string,
  context: Context,
): void {
  const runs = findRuns(root, context).filter(isRunning)
  const waiting = readInstances(root).instances.filter(
    ({ state }) => state === 'recovering' || state === 'not recovered',
  )
  for (const { id, layout } of backups) {
    const pid = runningServer(layout.data)
    if (pid !== undefined) {
      throw new PgbkError('failed', `a server is running in ${layout.snapshot} (process ${pid})`, {
        hint: 'Stop it first.',
      })
    }
    const run = runs.find(({ marker }) => marker.backup === id)
    if (run) {
      throw new PgbkError('failed', `backup ${id} is in use by the run ${run.name}`, {
        hint: `End it first:  pgbk instance stop ${run.name}`,
      })
    }
    const instance = waiting.find(({ record }) => record.backup === id)
    if (instance) {
      throw new PgbkError('failed', `the instance ${instance.name} has still to replay WAL of backup ${id}`, {
        hint: `Let it do so:  pgbk instance start ${instance.name}`,
      })
    }
  }
}
