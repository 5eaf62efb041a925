import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from '../../errors.js'
import { hasOnlyEnded } from '../process/process-table.js'

/** All processes of the machine are looked at, in ms. */
const lookEvery = 50

/** Sends a signal to every process of a group; true when there was one. */
export function signalGroup(group: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (group === undefined) return false
  try {
    process.kill(-group, signal)
    return true
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false
    throw error
  }
}

/**
 * Waits until no process of the group is left that has not ended; children that outlive their leader are ended the hard way. (Those that
 * have ended stay in the table where nobody asks how: the first process of a container may be no init.)
 */
export async function groupIsGone(group: number | undefined): Promise<void> {
  for (let wait = 0; signalGroup(group, 0); wait += 10) {
    if (wait % lookEvery === 0 && group !== undefined && hasOnlyEnded(group)) return
    if (wait === 500) signalGroup(group, 'SIGTERM')
    if (wait === 5000) signalGroup(group, 'SIGKILL')
    if (wait > 10_000) return
    await sleep(10)
  }
}
