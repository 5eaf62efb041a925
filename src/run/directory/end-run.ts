import { chmodSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../../context.js'
import { systemCode } from '../../errors.js'
import { removeSocketDirectory } from '../../postgres/local/sockets.js'
import { removeMarked } from '../../system/files/marked-directory.js'
import { endProcesses } from './end-processes.js'
import { processesOf, type RunDirectory } from './run-directory.js'

/** Stops the server of a run, at once when `urgent`, waits for its end and removes the run's directory. */
export async function endRun(run: RunDirectory, context: Pick<Context, 'urgent'>): Promise<void> {
  await endProcesses(() => processesOf(run), context)
  await removeRun(run)
}

/** Removes the directory of a run that has ended, the marker last; its supervisor may do the same at this moment. */
async function removeRun({ layout, marker }: RunDirectory): Promise<void> {
  removeSocketDirectory(marker.socket_directory ?? '')
  for (const inner of ['work', 'work/incompat', 'work/incompat/volatile']) openUp(join(layout.work, inner))
  await removeMarked(layout.marker)
}

/** An overlay's own directories have mode 000. */
function openUp(directory: string): void {
  if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return
  try {
    chmodSync(directory, 0o700)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error // the supervisor was faster
  }
}
