import { constants } from 'node:os'
import type { Environment } from '../context.js'
import { type PgbkError, systemCode } from '../errors.js'

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
