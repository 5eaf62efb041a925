import { constants } from 'node:os'
import { type ErrorCode, messageOf, PgbkError, systemCode } from '../../errors.js'
import { isInForeground } from '../process/process-table.js'
import { type ProgramPlace, startOptions } from './program-environment.js'

const signalNames: Partial<Record<ErrorCode, NodeJS.Signals>> = {
  interrupted: 'SIGINT',
  terminated: 'SIGTERM',
  'hung-up': 'SIGHUP',
}

export interface ForegroundOptions extends ProgramPlace {
  /** Passed on to the program when it is aborted, by the name of its reason's signal. */
  signal: AbortSignal
  /** Passed on too: the second of such signals. */
  urgent: AbortSignal
  umask: number
}

/**
 * Runs a program in the foreground: its input and output are this process's own.
 * @returns its exit status, as a shell would give it: 128 and the signal's number when a signal ended it.
 * @throws {PgbkError} `command-not-found`, `command-not-runnable`.
 */
export async function runForeground(
  file: string,
  args: string[],
  options: ForegroundOptions,
): Promise<number> {
  const { execa } = await import('execa')
  const { signal, urgent } = options
  const before = process.umask(options.umask)
  const child = execa(file, args, {
    ...startOptions(options),
    stdio: 'inherit',
    buffer: false,
    cleanup: false,
  })
  process.umask(before)
  const passOn = (event: Event) => {
    const { code } = (event.target as AbortSignal).reason as PgbkError
    const name = signalNames[code]
    // A terminal sends Ctrl-C to both of us.
    if (name !== undefined && !(name === 'SIGINT' && isInForeground())) child.kill(name)
  }
  for (const one of [signal, urgent]) one.addEventListener('abort', passOn)
  const { exitCode, signal: endedBy, cause } = await child
  for (const one of [signal, urgent]) one.removeEventListener('abort', passOn)
  if (child.pid === undefined) throw notStarted(file, cause)
  return exitCode ?? 128 + (constants.signals[endedBy as NodeJS.Signals] ?? 0)
}

function notStarted(file: string, cause: unknown): PgbkError {
  return systemCode(cause) === 'ENOENT'
    ? new PgbkError('command-not-found', `${file}: command not found`, { cause })
    : new PgbkError('command-not-runnable', `${file} cannot be run: ${messageOf(cause)}`, { cause })
}
