import { once } from 'node:events'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
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
  const { execa } = await import('execa')
  signal?.throwIfAborted()
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

export interface AttachedOptions {
  env: Environment
  cwd: string
  /** Passed on to the program when it is aborted, by the name of its reason's signal. */
  signal: AbortSignal
}

/**
 * Runs a program in the foreground: its input and output are this process's own.
 * @returns its exit status, as a shell would give it: 128 and the signal's number when a signal ended it, 127 when there is no
 * such program, 126 when it cannot be run.
 */
export async function runAttached(
  file: string,
  args: string[],
  { env, cwd, signal }: AttachedOptions,
): Promise<number> {
  const { execa } = await import('execa')
  const child = execa(file, args, {
    cwd,
    env,
    extendEnv: false,
    reject: false,
    stdio: 'inherit',
    buffer: false,
    cleanup: false,
  })
  // A terminal sends Ctrl-C to both of us; only what was sent to this process alone has to be passed on.
  const passOn = () => {
    const name = { interrupted: 'SIGINT', terminated: 'SIGTERM', 'hung-up': 'SIGHUP' }[
      (signal.reason as PgbkError).code as string
    ]
    if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name as NodeJS.Signals | undefined)
  }
  signal.addEventListener('abort', passOn)
  const { exitCode, signal: endedBy, cause } = await child
  signal.removeEventListener('abort', passOn)
  if (child.pid === undefined) return systemCode(cause) === 'ENOENT' ? 127 : 126
  return exitCode ?? 128 + (constants.signals[endedBy as NodeJS.Signals] ?? 0)
}

/** A program that goes on until it is told to end, or until this process is gone. */
export interface HeldProgram {
  /** The first line that it printed, or undefined when it ended before. */
  firstLine: string | undefined
  /** What it wrote to standard error so far. */
  stderr(): string
  /** What it printed so far. */
  output(): string
  hasEnded(): boolean
  write(text: string): void
  /** Lets it go on when this process ends. */
  release(): void
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
  options.signal?.throwIfAborted()
  const child = execa(file, args, {
    cwd: '/',
    env: options.env,
    extendEnv: false,
    reject: false,
    stdin: 'pipe',
    detached: true,
    cleanup: false,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin.on('error', () => {}) // it has ended: hasEnded tells
  const stop = () => signalGroup(child.pid, 'SIGTERM')
  options.signal?.addEventListener('abort', stop, { once: true })
  await Promise.race([once(child.stdout, 'data'), child])
  options.signal?.removeEventListener('abort', stop)
  if (options.signal?.aborted) {
    stop()
    await child
    options.signal.throwIfAborted()
  }
  if (child.pid === undefined) throw cannotStart(file, await child)
  return {
    firstLine: stdout === '' ? undefined : stdout.split('\n')[0],
    stderr: () => stderr,
    output: () => stdout,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    write: (text) => void child.stdin.write(text),
    release: () => {
      child.unref()
      for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as Socket).unref()
    },
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
