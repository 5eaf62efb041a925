import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { PgbkError } from '../../errors.js'
import { groupIsGone, signalGroup } from './process-group.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

interface FedProgram<T> {
  /** Exit status, or undefined when a signal ended the program. */
  status: number | undefined
  /** The signal that ended the program, if one did. */
  endedBy: string | undefined
  stdout: string
  stderr: string
  /** Whether it took its input to the end, or as far as there was one. */
  tookAll: boolean
  /** What `feed` returned, or how it failed: also because the program did not take all. */
  outcome: PromiseSettledResult<T>
}

/** Gives a program the next bytes of its input, and waits where it does not keep up. @throws when it has ended. */
export type Put = (bytes: Uint8Array) => Promise<void>

/**
 * Runs a program whose input is made while it runs, in a process group of its own: a Ctrl-C at the terminal is for pgbk. When `feed` fails
 * the whole group is ended the hard way: an input that breaks off is none.
 * @throws {PgbkError} when it cannot be started; the signal's reason when aborted.
 */
export async function feedProgram<T>(
  file: string,
  args: string[],
  { signal, ...place }: ProgramPlace & { signal: AbortSignal },
  feed: (put: Put) => Promise<T>,
): Promise<FedProgram<T>> {
  signal.throwIfAborted()
  const { child, pid } = await startProgram(file, args, place, {
    stdin: 'pipe',
    detached: true,
    cleanup: false,
  })
  child.stdin.on('error', () => {}) // it has ended: whoever writes next is told
  const kill = () => void signalGroup(pid, 'SIGKILL')
  signal.addEventListener('abort', kill)
  const [outcome] = await Promise.allSettled([feed(putInto(child.stdin))])
  const tookAll = !child.stdin.destroyed
  if (outcome.status === 'rejected') kill()
  child.stdin.end()
  const { exitCode: status, signal: endedBy, stdout, stderr } = await child
  signal.removeEventListener('abort', kill)
  await groupIsGone(pid)
  signal.throwIfAborted()
  return { status, endedBy, stdout, stderr, tookAll, outcome }
}

function putInto(input: Writable): Put {
  return async (bytes) => {
    if (input.destroyed) throw new PgbkError('failed', 'the program has ended')
    if (!input.write(bytes)) await once(input, 'drain')
  }
}
