import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { endRun } from '../run/end-run.js'
import { findRuns, isRunning, type RunDirectory } from '../run/run-directory.js'

export interface InstanceList {
  root: string
  runs: RunDirectory[]
}

/** The runs that go on now, found out from the system and not from what they once said. */
export async function listInstances(settings: Settings, context: Context): Promise<InstanceList> {
  return { root: settings.root, runs: findRuns(settings.root, context).filter(isRunning) }
}

/** Ends a run and removes its working copy. @throws {PgbkError} `not-found`. */
export async function stopInstance(
  name: string,
  settings: Settings,
  context: Context,
): Promise<RunDirectory> {
  const { runs } = await listInstances(settings, context)
  const run = runs.find((one) => one.name === name)
  if (!run) {
    const names = runs.map((one) => `  ${one.name}`).join('\n')
    throw new PgbkError('not-found', `there is no run ${JSON.stringify(name)} in ${settings.root}`, {
      hint: names ? `Running are:\n${names}` : 'None is running.',
    })
  }
  context.progress.step(`stopping ${name}`)
  await endRun(run)
  return run
}
