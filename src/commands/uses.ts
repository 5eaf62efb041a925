import type { Backup } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { readInstances } from '../instances/instance.js'
import { runningServer } from '../postgres/running.js'
import { findRuns, isRunning } from '../run/run-directory.js'

/** Something that goes on with a backup, so that it must not be removed now. */
export interface Use {
  /** `the run 20261120T030000Z-1` */
  by: string
  /** How to end it. */
  hint: string
}

export type UsableBackup = Pick<Backup, 'id' | 'layout'>

/** Looks at once for all that goes on in a root; the function then tells what of it concerns a backup. */
export function findUses(root: string, context: Context): (backup: UsableBackup) => Use[] {
  const runs = findRuns(root, context).filter(isRunning)
  const waiting = readInstances(root).instances.filter(
    ({ state }) => state === 'recovering' || state === 'not recovered',
  )
  return ({ id, layout }) => [
    ...usesByServer(runningServer(layout.data)),
    ...runs
      .filter(({ marker }) => marker.backup === id)
      .map(({ name }) => ({ by: `the run ${name}`, hint: `End it first:  pgbk instance stop ${name}` })),
    ...waiting
      .filter(({ record }) => record.backup === id)
      .map(({ name }) => ({
        by: `the instance ${name}, which has still to replay its WAL`,
        hint: `Let it do so:  pgbk instance start ${name}`,
      })),
  ]
}

function usesByServer(pid: number | undefined): Use[] {
  if (pid === undefined) return []
  return [{ by: `a server that is running in its snapshot (process ${pid})`, hint: 'Stop it first.' }]
}
