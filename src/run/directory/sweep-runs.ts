import { lstatSync } from 'node:fs'
import type { Context } from '../../context.js'
import { removeTree } from '../../system/files/remove-tree.js'
import { bytePath } from '../../system/paths/byte-path.js'
import { endRun } from './end-run.js'
import { forgottenDrafts } from './make-run-directory.js'
import { findRuns, isRunning, readRunMarker } from './run-directory.js'

/** Ends what is left of runs whose pgbk was killed, and removes their directories. Others are not touched. */
export async function sweepRuns(root: string, context: Context): Promise<void> {
  for (const run of findRuns(root, context)) {
    // Since the list was made it may have gone, and its name been taken by a new run.
    const marker = readRunMarker(run.layout)
    if (!marker || isRunning({ ...run, marker }) || !isOurs(run.layout.directory, context)) continue
    await endRun(run, context)
    context.progress.say(`removed ${run.name}, the remains of a run that did not end`)
  }
  for (const draft of forgottenDrafts(root, context))
    if (isOurs(draft, context)) await removeTree(bytePath(draft))
}

/** Also false when its supervisor, or another pgbk, has just removed it. */
function isOurs(directory: string, { user }: Context): boolean {
  const found = lstatSync(directory, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === user().uid
}
