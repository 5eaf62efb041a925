import type { Environment, Preparation, SystemUser } from './context.js'
import { PgbkError } from './errors.js'
import { becomeUser, currentUser, lookUp } from './system/process/become.js'

/** What `main` gets from the process that it runs in. Tests hand in their own. */
export interface ProcessContext {
  cwd: string
  env: Environment
  self: readonly string[]
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  signal: AbortSignal
  urgent: AbortSignal
  umask: number
  tickMs: number
  now(): Date
  user(): SystemUser
  idsOf(user: string | number): SystemUser
  become(user: string | number, prepare?: Preparation): void
}

/**
 * The context of the real process: new files are the owner's alone (umask 077); SIGINT, SIGTERM and SIGHUP abort `signal`.
 */
export function processContext(): ProcessContext {
  const umask = process.umask(0o077)
  // Node would open its debugger to whoever may send this signal: the user whom root becomes, in a session that is still root's.
  process.on('SIGUSR1', () => {})
  const env = { ...process.env }
  // The package `postgres` reads it by itself; it is meant for another server, and a run that recovers is not a primary.
  delete process.env.PGTARGETSESSIONATTRS
  return {
    cwd: currentDirectory(),
    env,
    self: [process.execPath, ...process.argv.slice(1, 2)],
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    ...endingSignals(),
    umask,
    tickMs: 1000,
    now: () => new Date(),
    user: currentUser,
    idsOf: lookUp,
    become: (user, prepare) => {
      becomeUser(user, prepare, env)
      // Packages ask for it by themselves: the client of S3 finds ~/.aws by it.
      process.env.HOME = env.HOME
    },
  }
}

/** It may have been removed. */
function currentDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}

function endingSignals(): Pick<ProcessContext, 'signal' | 'urgent'> {
  const first = new AbortController()
  const second = new AbortController()
  const end = (reason: PgbkError) => (first.signal.aborted ? second : first).abort(reason)
  process.on('SIGINT', () => end(new PgbkError('interrupted', 'interrupted')))
  process.on('SIGTERM', () => end(new PgbkError('terminated', 'terminated (SIGTERM)')))
  process.on('SIGHUP', () => end(new PgbkError('hung-up', 'terminated: the terminal was closed (SIGHUP)')))
  return { signal: first.signal, urgent: second.signal }
}
