import { existsSync, lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../context.js'
import { removeSockets } from '../postgres/sockets.js'
import { endRun } from './end-run.js'
import { findRuns, isRunning, type RunDirectory, readMarker, runPlaces } from './run-directory.js'

/** Ends what is left of runs whose pgbk was killed, and removes their directories. Others are not touched. */
export async function sweepRuns(root: string, context: Context): Promise<void> {
  for (const run of findRuns(root, context)) {
    // Since the list was made it may have gone, and its name been taken by a new run.
    const marker = readMarker(run.layout)
    if (!marker || isRunning({ ...run, marker }) || !isOurs(run, context)) continue
    await endRun(run)
    context.progress.say(`removed ${run.name}, the remains of a run that did not end`)
  }
  removeSockets((data) =>
    runPlaces(root, context).some(
      (place) => data.startsWith(`${place}/`) && !existsSync(dirname(dirname(data))),
    ),
  )
}

/** Also false when its supervisor, or another pgbk, has just removed it. */
function isOurs({ layout }: RunDirectory, { user }: Context): boolean {
  const { uid } = user()
  const directory = lstatSync(layout.directory, { throwIfNoEntry: false })
  return directory !== undefined && (uid === 0 || directory.uid === uid)
}
