import { setTimeout as sleep } from 'node:timers/promises'
import { systemCode } from '../../errors.js'

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

/** Waits until no process of the group is left; children that outlive their leader are ended the hard way. */
export async function groupIsGone(group: number | undefined): Promise<void> {
  for (let wait = 0; signalGroup(group, 0); wait += 10) {
    if (wait === 500) signalGroup(group, 'SIGTERM')
    if (wait === 5000) signalGroup(group, 'SIGKILL')
    if (wait > 10_000) return
    await sleep(10)
  }
}
