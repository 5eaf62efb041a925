import { accessSync, closeSync, constants, lchownSync, openSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { Environment, Preparation, SystemUser } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { searchPathFor } from '../paths/search-path.js'

/** Whom the process works as. */
export function currentUser(): SystemUser {
  const ids = { uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 }
  try {
    const { username, homedir } = userInfo()
    return { ...ids, name: username, home: homedir }
  } catch {
    return { ...ids, name: String(ids.uid), home: '/' }
  }
}

/**
 * Gives up root for good. Programs that are started later get the new user's HOME; what XDG variables and TMPDIR say was meant for root,
 * but for what the user may write.
 * @throws as `Context.become`.
 */
export function becomeUser(user: string | number, prepare: Preparation | undefined, env: Environment): void {
  const { uid, gid, named } = lookUp(user)
  checkInstallation(user, uid)
  if (prepare) {
    tryToEnter(prepare.inside, uid)
    giveTo({ uid, gid }, prepare.make())
  }
  if (named) (process as ProcessWithGroups).initgroups(user, gid)
  else process.setgroups?.([gid])
  process.setgid?.(gid)
  process.setuid?.(user)
  checkGivenUp()
  const places = ['XDG_CACHE_HOME', 'TMPDIR'].map((name) => [name, env[name]] as const)
  const after = currentUser()
  const own: Environment = { ...ownEnvironment(env, after), PATH: searchPathFor(after, env.PATH) }
  delete own.TMPDIR
  for (const [name, place] of places) if (place !== undefined && isWritable(place)) own[name] = place
  for (const key of Object.keys(env)) delete env[key]
  Object.assign(env, own)
}

function ownEnvironment(env: Environment, { name, home }: Pick<SystemUser, 'name' | 'home'>): Environment {
  const kept = Object.entries(env).filter(([key]) => !key.startsWith('XDG_'))
  return { ...Object.fromEntries(kept), HOME: home, USER: name, LOGNAME: name }
}

/** Gives what root has made, where nobody else could swap it, to a user. */
export function giveTo({ uid, gid }: { uid: number; gid: number }, paths: string[]): void {
  for (const path of paths) lchownSync(path, uid, gid)
}

/** @throws a system error when the directory is closed to the user. access(2) would ask for root's rights. */
function tryToEnter(directory: string, uid: number): void {
  actingAs(uid, () => statSync(`${directory}/.`))
}

/** What is loaded or started later must be there for the user too: node and pgbk below root's home directory are not. */
function checkInstallation(user: string | number, uid: number): void {
  const script = process.argv[1] ?? process.execPath
  for (const file of [process.execPath, script]) {
    try {
      actingAs(uid, () => closeSync(openSync(file, 'r')))
    } catch (cause) {
      throw new PgbkError('config', `user ${user}, whom pgbk works as, cannot read ${file}`, {
        cause,
        hint: 'Install node and pgbk where every user may read them, for example below /usr/local or /opt, and not in the home directory of root.',
      })
    }
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

function actingAs(uid: number, work: () => void): void {
  try {
    process.seteuid?.(uid)
    work()
  } finally {
    process.seteuid?.(0)
  }
}

/** Whatever the system made of it: nothing goes on with a way back. */
function checkGivenUp(): void {
  try {
    process.seteuid?.(0)
  } catch {
    return
  }
  throw new PgbkError('failed', 'could not give up the rights of root')
}

/** Node has it; its type declarations do not. */
type ProcessWithGroups = NodeJS.Process & { initgroups(user: string | number, group: number): void }

/**
 * Node changes no users where libuv may use io_uring (CVE-2024-22017); that of Debian 13 never does.
 * @throws {PgbkError} `failed` when root could not become this user.
 */
function checkChangesUsers(user: string | number): void {
  if (process.geteuid?.() !== 0) return
  try {
    process.seteuid?.(0)
  } catch (cause) {
    const name = typeof user === 'number' ? `"$(id -nu ${user})"` : user
    throw new PgbkError(
      'failed',
      `this Node.js (${process.execPath}, ${process.version}) does not let root become user ${user}, whom pgbk would work as: ${messageOf(cause)}`,
      {
        cause,
        hint: `Run pgbk as that user:  runuser -u ${name} -- pgbk ...\nOr install Node.js from nodejs.org; that of some distributions has this limit.`,
      },
    )
  }
}

/**
 * The ids of a user. Node has no getpwnam: `userInfo` tells about the effective user, so root is that user for a moment.
 * @throws {PgbkError} `config` when there is none of this name, `failed` when root could not become that user.
 */
export function lookUp(user: string | number): SystemUser & { named: boolean } {
  checkChangesUsers(user)
  try {
    process.seteuid?.(user)
    const { uid, gid, username, homedir } = userInfo()
    return { uid, gid, name: username, home: homedir, named: true }
  } catch (cause) {
    if (typeof user === 'number') return { uid: user, gid: user, name: String(user), home: '/', named: false }
    throw new PgbkError('config', `there is no operating-system user ${user} to work as`, {
      cause,
      hint: 'The user postgres comes with the packages of a PostgreSQL server. Else set run_as (or PGBK_RUN_AS) to the user whom the backups should belong to; PostgreSQL refuses to run as root.',
    })
  } finally {
    process.seteuid?.(0)
  }
}
