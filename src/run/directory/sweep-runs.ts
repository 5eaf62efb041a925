import { lstatSync } from 'node:fs'
import type { Context } from '../../context.js'
import { endRun } from './end-run.js'
import { findRuns, isRunning, type RunDirectory, readMarker } from './run-directory.js'

/** Ends what is left of runs whose pgbk was killed, and removes their directories. Others are not touched. */
export async function sweepRuns(root: string, context: Context): Promise<void> {
  for (const run of findRuns(root, context)) {
    // Since the list was made it may have gone, and its name been taken by a new run.
    const marker = readMarker(run.layout)
    if (!marker || isRunning({ ...run, marker }) || !isOurs(run, context)) continue
    await endRun(run, context)
    context.progress.say(`removed ${run.name}, the remains of a run that did not end`)
  }
}

/** Also false when its supervisor, or another pgbk, has just removed it. */
function isOurs({ layout }: RunDirectory, { user }: Context): boolean {
  const directory = lstatSync(layout.directory, { throwIfNoEntry: false })
  return directory?.isDirectory() === true && directory.uid === user().uid
}
