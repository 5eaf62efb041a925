import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../../context.js'
import { signalProcess } from '../../system/process/process-table.js'

/**
 * Which signal to send from how many ms on: fast shutdown, immediate shutdown, the end. The last alone is not for the process to
 * take or leave: what the data starts can stop its server (SIGSTOP).
 */
const stopSignals: readonly [number, NodeJS.Signals][] = [
  [0, 'SIGINT'],
  [10_000, 'SIGQUIT'],
  [15_000, 'SIGKILL'],
]

/** A server may be deaf in its first moments: it is told again after so many ms. */
const repeatAfter = 500

/**
 * Ends processes, the harder the longer it takes, and waits until none is left.
 * @param left which of them are still there.
 * @param context its `urgent` ends them the hard way at once.
 */
export async function endProcesses(left: () => number[], { urgent }: Pick<Context, 'urgent'>): Promise<void> {
  const startedAt = performance.now()
  let told: NodeJS.Signals | undefined
  let toldAt = 0
  for (let pids = left(); pids.length > 0; pids = left()) {
    const waited = performance.now() - startedAt
    const due = stopSignals.findLast(([from]) => waited >= from)?.[1]
    const signal = urgent.aborted ? 'SIGKILL' : due
    if (signal !== undefined && (signal !== told || waited - toldAt >= repeatAfter)) {
      for (const pid of pids) {
        signalProcess(pid, signal)
        // One that is stopped would hear of it only then.
        signalProcess(pid, 'SIGCONT')
      }
      told = signal
      toldAt = waited
    }
    await sleep(20)
  }
}
