import { chmodSync, lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from '../errors.js'
import { namesIn } from '../names-in.js'
import { removeSocketDirectory } from '../postgres/sockets.js'
import { signalProcess } from '../processes.js'
import { processesOf, type RunDirectory } from './run-directory.js'

/** Which signal to send after how many ms: fast shutdown, immediate shutdown, the end. */
const stopSignals = new Map<number, NodeJS.Signals>([
  [0, 'SIGINT'],
  [10_000, 'SIGQUIT'],
  [15_000, 'SIGKILL'],
])

/** Stops the server of a run, waits for its end and removes the run's directory. */
export async function endRun(run: RunDirectory): Promise<void> {
  for (let waited = 0, left = processesOf(run); left.length > 0; waited += 20, left = processesOf(run)) {
    const signal = stopSignals.get(waited)
    if (signal !== undefined) for (const pid of left) signalProcess(pid, signal)
    await sleep(20)
  }
  await removeRun(run)
}

/** Removes the directory of a run that has ended, the marker last; its supervisor may do the same at this moment. */
async function removeRun({ layout, marker }: RunDirectory): Promise<void> {
  removeSocketDirectory(marker.socket_directory ?? '')
  const inner = join(layout.work, 'work')
  // An overlay's own has mode 000.
  if (lstatSync(inner, { throwIfNoEntry: false })?.isDirectory()) openUp(inner)
  for (const name of namesIn(layout.directory, 'EACCES')) {
    const path = join(layout.directory, name)
    if (path !== layout.marker) await rm(path, { recursive: true, force: true })
  }
  await rm(layout.directory, { recursive: true, force: true })
}

function openUp(directory: string): void {
  try {
    chmodSync(directory, 0o700)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error // the supervisor was faster
  }
}
