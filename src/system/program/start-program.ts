import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { Options } from 'execa'
import { messageOf, PgbkError, systemCode } from '../../errors.js'
import { type ProgramPlace, startOptions } from './program-environment.js'

/**
 * Starts a program: the one way by which all others are started. Its end is a result, and never thrown.
 * @param options of execa, for its input, its output and its end.
 * @returns the child, in an object: it is a promise of its own end.
 * @throws {PgbkError} `programs-missing` when it is not there, `failed` when it cannot be called; for a COMMAND, `command-not-found` and
 * `command-not-runnable`.
 */
export async function startProgram<Own extends Options>(
  file: string,
  args: string[],
  place: ProgramPlace,
  options: Own,
) {
  const { execa } = await import('execa')
  const before = place.umask === undefined ? undefined : process.umask(place.umask)
  const child = execa(file, args, { ...startOptions(place), ...options })
  if (before !== undefined) process.umask(before)
  if (child.pid !== undefined) return { child, pid: child.pid }
  const { cause, shortMessage } = (await child) as { cause?: unknown; shortMessage?: string }
  throw cannotStart(file, place, cause ?? shortMessage)
}

function cannotStart(file: string, { kind }: ProgramPlace, cause: unknown): PgbkError {
  const isMissing = systemCode(cause) === 'ENOENT'
  if (kind !== 'command')
    return new PgbkError(
      isMissing ? 'programs-missing' : 'failed',
      `cannot run ${file}: ${isMissing ? 'no such program' : messageOf(cause)}`,
      { cause },
    )
  return isMissing
    ? new PgbkError('command-not-found', `${file}: command not found`, { cause })
    : new PgbkError('command-not-runnable', `${file} cannot be run: ${messageOf(cause)}`, { cause })
}

export interface DetachedProgram {
  pid: number
  hasEnded(): boolean
}

/**
 * Starts a program that goes on when this process has ended, in a session of its own, with no terminal, input or output.
 * @throws {PgbkError} as `startProgram`.
 */
export async function startDetached(
  file: string,
  args: string[],
  place: ProgramPlace,
): Promise<DetachedProgram> {
  const options = { stdio: 'ignore', detached: true, cleanup: false } as const
  const { child, pid } = await startProgram(file, args, place, options)
  child.unref()
  return { pid, hasEnded: () => child.exitCode !== null || child.signalCode !== null }
}

/** A program that works together with this process. */
export interface Partner {
  /** Its standard input. */
  input: Writable
  /** The first line that it writes to descriptor 3; undefined when it ends before. */
  firstLine(): Promise<string | undefined>
  /** Its exit status; undefined when a signal has ended it. */
  ended: Promise<number | undefined>
  /** Sends a signal to it. */
  kill(signal: NodeJS.Signals): void
}

/**
 * Starts a program in a session of its own, with its output where this process has it: it has no terminal, and hears no Ctrl-C.
 * @throws {PgbkError} as `startProgram`.
 */
export async function startPartner(file: string, args: string[], place: ProgramPlace): Promise<Partner> {
  const { child } = await startProgram(file, args, place, {
    buffer: false,
    cleanup: false,
    detached: true,
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
  })
  child.stdin.on('error', () => {}) // it has ended: its status tells why
  const notes = child.stdio[3] as unknown as Readable
  return {
    input: child.stdin,
    firstLine: async () => {
      const [text] = (await Promise.race([once(notes, 'data'), child.then(() => [])])) as Buffer[]
      return text?.toString().split('\n')[0]
    },
    ended: child.then(({ exitCode }) => exitCode),
    kill: (signal) => void child.kill(signal),
  }
}

/** A program that turns one stream into another. */
interface FilterProgram {
  input: Writable
  output: Readable
  /** Waits for its end. @throws {PgbkError} `failed` when it failed. */
  succeeded(): Promise<void>
}

/** Starts a program that reads its input and writes its output, as compressors do. @throws {PgbkError} as `startProgram`. */
export async function startFilter(
  file: string,
  args: string[],
  { signal, ...place }: ProgramPlace & { signal: AbortSignal },
): Promise<FilterProgram> {
  const { child } = await startProgram(file, args, place, {
    buffer: { stdout: false, stderr: true },
    cancelSignal: signal,
    stdin: 'pipe',
  })
  return {
    input: child.stdin,
    output: child.stdout,
    succeeded: async () => {
      const { exitCode, signal: endedBy, stderr } = await child
      signal.throwIfAborted()
      if (exitCode !== 0)
        throw new PgbkError('failed', `${file} failed: ${stderr.trim() || endedBy || exitCode}`, {
          facts: { said: stderr.trim() },
        })
    },
  }
}
