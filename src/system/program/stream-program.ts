import type { Readable } from 'node:stream'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

interface StreamOptions extends ProgramPlace {
  /** For its standard input, which is empty otherwise. */
  input?: Uint8Array | Readable
  /** Ends the program when it is aborted. */
  signal: AbortSignal
}

export interface StreamEnd<T> {
  /** Exit status, or undefined when a signal ended the program. */
  status: number | undefined
  /** The signal that ended the program, if one did. */
  endedBy: string | undefined
  /** The last of what it wrote to standard error. */
  stderr: string
  /** What `read` returned, or how it failed. */
  outcome: PromiseSettledResult<T>
}

const keptOfStderr = 64 * 1024

/** For the last words on standard error, after the end of the program. */
const graceMs = 1000

/**
 * Runs a program whose output is read while it comes. It stays in the process group of this process, so that it may ask
 * questions at the terminal. When `read` fails before the output is at its end, the program is ended.
 * @throws {PgbkError} when it cannot be started; the signal's reason when aborted; what `read` threw when it gave up early.
 */
export async function streamProgram<T>(
  file: string,
  args: string[],
  options: StreamOptions,
  read: (output: Readable) => Promise<T>,
): Promise<StreamEnd<T>> {
  const { input, signal } = options
  signal.throwIfAborted()
  const { child } = await startProgram(file, args, options, {
    buffer: false,
    stdout: 'pipe',
    stderr: 'pipe',
    cancelSignal: signal,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr = (stderr + chunk).slice(-keptOfStderr)
  })
  let gaveUp = false
  const reading = read(child.stdout).catch((error) => {
    gaveUp = !child.stdout.readableEnded
    if (gaveUp) child.kill('SIGTERM')
    throw error
  })
  // Children of the program may hold its output open for longer than it lives: ssh's shared connections do.
  const letGo = () => void child.stdout.destroy()
  signal.addEventListener('abort', letGo)
  child.once('exit', () => setTimeout(() => child.stderr.destroy(), graceMs).unref())
  const [outcome] = await Promise.allSettled([reading])
  child.stdout.destroy()
  const result = await child
  signal.removeEventListener('abort', letGo)
  signal.throwIfAborted()
  if (gaveUp && outcome.status === 'rejected') throw outcome.reason
  return { status: result.exitCode, endedBy: result.signal, stderr, outcome }
}
