import { chmodSync, lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { borrowedLayout, type RunLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { systemCode } from '../../errors.js'
import { removeSocketDirectory } from '../../postgres/local/sockets.js'
import { removeMarked } from '../../system/files/marked-directory.js'
import { removeTree } from '../../system/files/remove-tree.js'
import { bytePath } from '../../system/paths/byte-path.js'
import { signalProcess } from '../../system/process/process-table.js'
import { forgottenDrafts } from './make-run-directory.js'
import { findRuns, isRunning, processesOf, type RunDirectory, readRunMarker } from './run-directory.js'

/** Stops the server of a run, at once when `urgent`, waits for its end and removes the run's directory. */
export async function endRun(run: RunDirectory, context: Pick<Context, 'urgent'>): Promise<void> {
  await endProcesses(() => processesOf(run), context, ofAnyKind)
  await removeRun(run)
}

/** Removes the directory of a run that has ended, the marker last; its supervisor may do the same at this moment. */
async function removeRun({ layout, marker }: RunDirectory): Promise<void> {
  const borrowed = borrowedBy(layout)
  if (borrowed !== undefined) await removeMarked(borrowedLayout(borrowed).marker)
  removeSocketDirectory(marker.socket_directory ?? '')
  for (const inner of ['work', 'work/incompat', 'work/incompat/volatile']) openUp(join(layout.work, inner))
  await removeMarked(layout.marker)
}

/** The root of the backup that goes with a run; undefined where it has one that stays. */
function borrowedBy({ borrowed }: RunLayout): string | undefined {
  try {
    return readlinkSync(borrowed)
  } catch {
    return undefined
  }
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

/**
 * Which signal to send from how many ms on. The last one alone is not for the process to take or leave: what the data starts can stop its
 * server (SIGSTOP).
 */
export type StopSignals = readonly [number, NodeJS.Signals][]

/**
 * For a postmaster: immediate shutdown, the end. A fast shutdown would only write out what goes with the run. (It may take 5 s where a
 * session does not end: SIGKILL_CHILDREN_AFTER_SECS in postmaster.c.)
 */
export const ofServer: StopSignals = [
  [0, 'SIGQUIT'],
  [10_000, 'SIGKILL'],
]

/** For it with the shells around it and its companions, whom SIGQUIT would have leave a core. */
const ofAnyKind: StopSignals = [
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
export async function endProcesses(
  left: () => number[],
  { urgent }: Pick<Context, 'urgent'>,
  signals: StopSignals,
): Promise<void> {
  const startedAt = performance.now()
  let told: NodeJS.Signals | undefined
  let toldAt = 0
  for (let pids = left(); pids.length > 0; pids = left()) {
    const waited = performance.now() - startedAt
    const due = signals.findLast(([from]) => waited >= from)?.[1]
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

/**
 * What a supervisor does in the run's directory when its server has ended, outside of the server's name spaces: all goes, the
 * marker last, so that the next run can take up what fails. An overlay's own working directory has mode 000.
 */
export const removeWhenOver = `
[ ! -h borrowed ] || rm -rf "$(readlink borrowed)"
all='borrowed upper work snapshot sandbox files store conf lower lower.note image wal log .begun .pgbk-.pgbk-run.json.*'
rm -rf "$sockets"
rm -rf $all 2>/dev/null || { chmod -R u+rwx work; rm -rf $all; } && rm -f .pgbk-run.json && cd / && rmdir "$run"
`

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
