import type { Backup } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { runningServer } from '../postgres/running.js'
import { findRuns, isRunning } from '../run/run-directory.js'

/** Something that goes on with a backup, so that it must not be removed now. */
export interface Use {
  /** `the run 20261120T030000Z-1` */
  by: string
  /** How to end it. */
  hint: string
}

/** Looks at once for all that goes on in a root; the function then tells what of it concerns a backup. */
export function findUses(root: string, context: Context): (backup: Backup) => Use[] {
  const runs = findRuns(root, context).filter(isRunning)
  return (backup) => {
    const uses = runs
      .filter(({ marker }) => marker.backup === backup.id)
      .map(({ name }) => ({
        by: `the run ${name}`,
        hint: `End it first:  pgbk instance stop ${name}`,
      }))
    const pid = runningServer(backup.layout.data)
    if (pid === undefined) return uses
    return [
      { by: `a server that is running in its snapshot (process ${pid})`, hint: 'Stop it first.' },
      ...uses,
    ]
  }
}
