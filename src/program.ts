import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from './context.js'
import { PgbkError, systemCode } from './errors.js'

export interface ProgramOptions {
  env: Environment
  /** A directory that the user of the process can enter. Default `/`. */
  cwd?: string
  /** Text for its standard input, which is empty otherwise. */
  input?: string
  signal?: AbortSignal
  /** Gets every line of standard error as it comes; those lines are then not collected. */
  onErrorLine?(line: string): void
  /** After so many ms the program is ended and counts as failed. */
  timeoutMs?: number
  /**
   * Starts the program as the leader of a process group of its own, out of reach of a Ctrl-C at the terminal.
   * When the signal is aborted, the whole group is ended before the call throws.
   */
  ownGroup?: boolean
}

export interface ProgramResult {
  /** Exit status, or undefined when a signal ended the program. */
  status: number | undefined
  /** The signal that ended the program, if one did. */
  endedBy: string | undefined
  stdout: string
  stderr: string
}

/**
 * Runs a program to its end, with exactly the given environment; a non-zero exit status is a result, not an error.
 * @throws {PgbkError} when it cannot be started (`programs-missing` if it is not there); the signal's reason when aborted.
 */
export async function runProgram(
  file: string,
  args: string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { signal, ownGroup = false, onErrorLine } = options
  signal?.throwIfAborted()
  const { execa } = await import('execa')
  const child = execa(file, args, {
    cwd: options.cwd ?? '/',
    env: options.env,
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    detached: ownGroup,
    cleanup: !ownGroup,
    buffer: { stdout: true, stderr: onErrorLine === undefined },
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(signal && !ownGroup ? { cancelSignal: signal } : {}),
  })
  if (onErrorLine && child.stderr) createInterface({ input: child.stderr }).on('line', onErrorLine)
  const endGroup = () => signalGroup(child.pid, 'SIGTERM')
  if (ownGroup) signal?.addEventListener('abort', endGroup)
  const result = await child
  if (ownGroup) {
    signal?.removeEventListener('abort', endGroup)
    await groupIsGone(child.pid)
  }
  signal?.throwIfAborted()
  if (child.pid === undefined) throw cannotStart(file, result)
  return {
    status: result.exitCode,
    endedBy: result.signal,
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? '',
  }
}

function cannotStart(
  file: string,
  result: { cause?: unknown; shortMessage?: string | undefined },
): PgbkError {
  const missing = systemCode(result.cause) === 'ENOENT'
  return new PgbkError(
    missing ? 'programs-missing' : 'failed',
    `cannot run ${file}: ${missing ? 'no such program' : result.shortMessage}`,
    { cause: result.cause },
  )
}

/** A program that goes on until it is told to end, or until this process is gone. */
export interface HeldProgram {
  /** The first line that it printed, or undefined when it ended before. */
  firstLine: string | undefined
  /** What it wrote to standard error so far. */
  stderr(): string
  hasEnded(): boolean
  /** Closes its standard input and waits for its end. */
  end(): Promise<void>
}

/**
 * Starts a program that reads its standard input to the end, and waits for its first line. Its input closes when
 * this process ends, in whatever way; a Ctrl-C at the terminal does not reach it.
 * @throws {PgbkError} `programs-missing` when it is not there; the signal's reason when aborted before the first line.
 */
export async function holdProgram(
  file: string,
  args: string[],
  options: Pick<ProgramOptions, 'env' | 'signal'>,
): Promise<HeldProgram> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    cwd: '/',
    env: options.env,
    extendEnv: false,
    reject: false,
    stdin: 'pipe',
    detached: true,
    cleanup: false,
  })
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const stop = () => signalGroup(child.pid, 'SIGTERM')
  options.signal?.addEventListener('abort', stop, { once: true })
  const firstLine = await Promise.race([once(child.stdout, 'data').then(String), child.then(() => undefined)])
  options.signal?.removeEventListener('abort', stop)
  options.signal?.throwIfAborted()
  if (child.pid === undefined) throw cannotStart(file, await child)
  return {
    firstLine: firstLine?.trim(),
    stderr: () => stderr,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    end: async () => {
      child.stdin.end()
      await child
    },
  }
}

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
async function groupIsGone(group: number | undefined): Promise<void> {
  for (let wait = 0; signalGroup(group, 0); wait += 10) {
    if (wait === 500) signalGroup(group, 'SIGTERM')
    if (wait === 5000) signalGroup(group, 'SIGKILL')
    if (wait > 10_000) return
    await sleep(10)
  }
}
