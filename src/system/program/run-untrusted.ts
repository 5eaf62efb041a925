import { once } from 'node:events'
import { signalGroup } from './process-group.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

export interface UntrustedOptions extends ProgramPlace {
  /** For its standard input. */
  input?: string
  signal?: AbortSignal
  /** After so many ms its whole process group is ended. */
  limitMs: number
}

interface UntrustedResult {
  /** Undefined when a signal ended it. */
  status: number | undefined
  /** It did not end by itself within the limit, or before the signal was aborted. */
  stopped: boolean
  /** The last of what it printed, on either stream. */
  output: string
}

const mostOutput = 2000
const graceMs = 2000

/**
 * Runs somebody else's program, of which nothing is expected: it may print without end, ignore its input, never end, or leave
 * processes behind that hold its output open. Returns at the latest some seconds after the limit.
 * @throws {PgbkError} when it cannot be started.
 */
export async function runUntrusted(
  file: string,
  args: string[],
  options: UntrustedOptions,
): Promise<UntrustedResult> {
  const { child, pid } = await startProgram(file, args, options, {
    buffer: false,
    detached: true,
    cleanup: false,
    stdin: 'pipe',
  })
  let output = ''
  const keep = (chunk: unknown) => {
    output = `${output}${chunk}`.slice(-mostOutput)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.stdin.on('error', () => {}) // it does not want its input
  child.stdin.end(options.input ?? '')
  const closed = once(child, 'close').then(() => true)
  const ended = await firstOf(closed, options.limitMs, options.signal)
  if (!ended) await endGroup(pid, closed)
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  return { status: child.exitCode ?? undefined, stopped: !ended, output }
}

/** What has left the group, and still holds the output open, is not waited for. */
async function endGroup(group: number, closed: Promise<boolean>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    signalGroup(group, signal)
    if (await firstOf(closed, graceMs)) return
  }
}

/** Whether it has closed before the time was over or the signal aborted. */
async function firstOf(closed: Promise<boolean>, ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return false
  let giveUp = () => {}
  const over = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    const abort = () => resolve(false)
    signal?.addEventListener('abort', abort)
    giveUp = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  })
  const ended = await Promise.race([closed, over])
  giveUp()
  return ended
}
