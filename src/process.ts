import { lchownSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { Environment, Preparation, SystemUser } from './context.js'
import { PgbkError } from './errors.js'
import { searchPathFor } from './program/search-path.js'

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
  now(): Date
  user(): SystemUser
  idsOf(user: string | number): { uid: number; gid: number }
  become(user: string | number, prepare?: Preparation): void
}

/**
 * The context of the real process: new files are the owner's alone (umask 077); SIGINT, SIGTERM and SIGHUP abort `signal`.
 */
export function processContext(): ProcessContext {
  const umask = process.umask(0o077)
  const env = { ...process.env }
  // The package `postgres` reads it by itself; it is meant for another server, and a run that recovers is no primary.
  delete process.env.PGTARGETSESSIONATTRS
  return {
    cwd: process.cwd(),
    env,
    self: [process.execPath, ...process.argv.slice(1, 2)],
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    ...endingSignals(),
    umask,
    now: () => new Date(),
    user: currentUser,
    idsOf: lookUp,
    become: (user, prepare) => becomeUser(user, prepare, env),
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

function currentUser(): SystemUser {
  const ids = { uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 }
  try {
    const { username, homedir } = userInfo()
    return { ...ids, name: username, home: homedir }
  } catch {
    return { ...ids, name: String(ids.uid), home: '/' }
  }
}

/** Programs that are started later get the new user's HOME and a PATH to trust; what XDG variables say was meant for root. */
function becomeUser(user: string | number, prepare: Preparation | undefined, env: Environment): void {
  const { uid, gid, named } = lookUp(user)
  if (prepare) {
    tryToEnter(prepare.inside, uid)
    for (const path of prepare.make()) lchownSync(path, uid, gid)
  }
  if (named) (process as ProcessWithGroups).initgroups(user, gid)
  else process.setgroups?.([gid])
  process.setgid?.(gid)
  process.setuid?.(user)
  const after = currentUser()
  const { name, home } = after
  Object.assign(env, { HOME: home, USER: name, LOGNAME: name, PATH: searchPathFor(after, env.PATH) })
  for (const key of Object.keys(env)) if (key.startsWith('XDG_')) delete env[key]
}

/** @throws a system error when the directory is closed to the user. access(2) would ask for root's rights. */
function tryToEnter(directory: string, uid: number): void {
  try {
    process.seteuid?.(uid)
    statSync(`${directory}/.`)
  } finally {
    process.seteuid?.(0)
  }
}

/** Node has it; its type declarations do not. */
type ProcessWithGroups = NodeJS.Process & { initgroups(user: string | number, group: number): void }

/** Node has no getpwnam: `userInfo` tells about the effective user, so be that user for a moment. */
function lookUp(user: string | number): { uid: number; gid: number; named: boolean } {
  try {
    process.seteuid?.(user)
    const { uid, gid } = userInfo()
    return { uid, gid, named: true }
  } catch (cause) {
    if (typeof user === 'number') return { uid: user, gid: user, named: false }
    throw new PgbkError('config', `there is no operating-system user ${user} to work as`, {
      cause,
      hint: 'Set run_as (or PGBK_RUN_AS) to the user whom the backups should belong to; PostgreSQL refuses to run as root.',
    })
  } finally {
    process.seteuid?.(0)
  }
}
