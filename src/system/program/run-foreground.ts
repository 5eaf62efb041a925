import { constants } from 'node:os'
import type { ErrorCode, PgbkError } from '../../errors.js'
import { isInForeground } from '../process/process-table.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

const signalNames: Partial<Record<ErrorCode, NodeJS.Signals>> = {
  interrupted: 'SIGINT',
  terminated: 'SIGTERM',
  'hung-up': 'SIGHUP',
}

interface ForegroundOptions extends ProgramPlace {
  /** Passed on to the program when it is aborted, by the name of its reason's signal. */
  signal: AbortSignal
  /** Passed on too: the second of such signals. */
  urgent: AbortSignal
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
  const { signal, urgent } = options
  const { child } = await startProgram(file, args, options, {
    stdio: 'inherit',
    buffer: false,
    cleanup: false,
  })
  const passOn = (event: Event) => {
    const { code } = (event.target as AbortSignal).reason as PgbkError
    const name = signalNames[code]
    // A terminal sends Ctrl-C to both of us.
    if (name !== undefined && !(name === 'SIGINT' && isInForeground())) child.kill(name)
  }
  for (const one of [signal, urgent]) one.addEventListener('abort', passOn)
  const { exitCode, signal: endedBy } = await child
  for (const one of [signal, urgent]) one.removeEventListener('abort', passOn)
  return exitCode ?? 128 + (constants.signals[endedBy as NodeJS.Signals] ?? 0)
}
