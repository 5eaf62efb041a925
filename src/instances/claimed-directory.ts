import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { chmod, chown, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncPath } from '../backup/durable.js'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode, systemFailure } from '../errors.js'
import { runningServer } from '../postgres/running.js'
import { lifeOf, markOfThisProcess, type ProcessMark } from '../processes.js'
import { shellWord } from '../shell-word.js'

const markerName = '.pgbk-restore.json'

interface Marker extends ProcessMark {
  /** Whom the directory will belong to. */
  owner: Owner
}

/**
 * Makes sure that a directory can be filled by a restore: absent, with its parent there, or empty, or the remains of a restore
 * that did not end. Writes nothing.
 * @returns whom it is to belong to, where it is there already.
 * @throws {PgbkError} `usage` for any other directory, `failed` when a server runs in it or it cannot be written, `locked`.
 */
export function checkClaimable(directory: string, context: Context): Owner | undefined {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found) {
    checkParent(directory)
    return undefined
  }
  if (!found.isDirectory()) throw new PgbkError('usage', `${directory} is not a directory`)
  const caller = context.user().uid
  if (caller !== 0 && found.uid !== caller) {
    throw new PgbkError('usage', `${directory} belongs to another user (uid ${found.uid})`, {
      hint: 'PostgreSQL runs only as the owner of its data directory: run pgbk as that user, or as root.',
    })
  }
  const pid = runningServer(directory)
  if (pid !== undefined) {
    throw new PgbkError('failed', `a server is running in ${directory} (process ${pid})`, {
      hint: 'Nothing was changed. Restore into another directory; or, if that server is to go, stop it and empty the directory.',
    })
  }
  const marker = readMarker(directory, [caller, found.uid])
  if (marker) {
    const remembered = checkRemains(directory, marker)
    return found.uid === 0 ? remembered : { uid: found.uid, gid: found.gid }
  }
  if (readdirSync(directory).length > 0) throw notEmpty(directory)
  return found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid }
}

function checkParent(directory: string): void {
  const parent = dirname(directory)
  if (existsSync(parent)) return
  throw new PgbkError('usage', `${parent} is not there`, {
    hint: `Is a disk not mounted, or the path mistyped? If it is right:  mkdir -p ${shellWord(parent)}`,
  })
}

/** Somebody who has started a server there since may have made something that is to stay. */
function checkRemains(directory: string, marker: Marker): Owner {
  if (lifeOf(marker) === 'alive') throw locked(directory, marker)
  // Every start writes it, and pg_basebackup leaves it out; of other traces a restored server's own backup may have some.
  if (existsSync(join(directory, 'postmaster.opts'))) throw notEmpty(directory)
  return marker.owner
}

function locked(directory: string, by?: Marker): PgbkError {
  const who = by ? ` (process ${by.pgbk_pid})` : ''
  return new PgbkError('locked', `another pgbk is restoring into ${directory}${who}`, {
    hint: 'Wait for it to end, or choose another directory.',
  })
}

function notEmpty(directory: string): PgbkError {
  const cluster = /^\/var\/lib\/postgresql\/(\d+)\/([^/]+)$/.exec(directory)
  const stop = cluster ? `pg_ctlcluster ${cluster[1]} ${cluster[2]} stop && ` : ''
  return new PgbkError('usage', `${directory} is not empty`, {
    hint: `Nothing was changed. Restore into another directory; or, if no server uses what is in it and it is not needed (a freshly made cluster?):  ${stop}find ${shellWord(directory)} -mindepth 1 -delete`,
  })
}

/**
 * A marker counts that is the caller's or the directory's owner's. Where root itself will remove things, the directory is its own
 * already: another's marker could have been made to have something removed.
 */
function readMarker(directory: string, writers: number[]): Marker | undefined {
  const path = join(directory, markerName)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found?.isFile() || !writers.includes(found.uid)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Marker
  } catch (cause) {
    throw new PgbkError('failed', `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: `It was written by a restore that did not end. Empty the directory:  find ${shellWord(directory)} -mindepth 1 -delete`,
    })
  }
}

/**
 * Makes a directory that was found claimable, or takes what an aborted restore has left out of it, and marks it. It is the
 * caller's alone until `handOver`.
 * @throws {PgbkError} as `checkClaimable`, when somebody has begun to use it since; `failed` or `disk-full`. It is as it was then.
 */
export async function claim(directory: string, owner: Owner, context: Context): Promise<void> {
  const isRoot = context.user().uid === 0
  const before = statSync(directory, { throwIfNoEntry: false })
  try {
    if (!before) mkdirSync(directory)
    if (isRoot) await chown(directory, 0, 0)
    await chmod(directory, 0o700)
    checkClaimable(directory, context)
    if (takeMarker(directory, { ...markOfThisProcess(), owner }) === 'remains') await empty(directory)
    await syncPath(directory)
  } catch (cause) {
    if (before) await putBack(directory, before, isRoot)
    else await rmdir(directory).catch(() => {})
    if (cause instanceof PgbkError) throw cause
    throw systemFailure(`cannot write to ${directory}`, cause)
  }
}

async function putBack(directory: string, { uid, gid, mode }: Stats, isRoot: boolean): Promise<void> {
  await chmod(directory, mode & 0o7777)
  if (isRoot) await chown(directory, uid, gid)
}

/**
 * Writes this process's marker in place of that of a restore which is gone. Of several processes only one succeeds.
 * @throws {PgbkError} `locked`.
 */
function takeMarker(directory: string, marker: Marker): 'remains' | 'new' {
  const path = join(directory, markerName)
  const aside = `${path}.${process.pid}`
  const found = existsSync(path)
  if (found) {
    renameSync(path, aside)
    const other = JSON.parse(readFileSync(aside, 'utf8')) as Marker
    if (lifeOf(other) === 'alive') {
      renameSync(aside, path)
      throw locked(directory, other)
    }
  }
  try {
    writeFileSync(path, `${JSON.stringify(marker)}\n`, { flag: 'wx', flush: true })
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? locked(directory) : error
  }
  return found ? 'remains' : 'new'
}

/** Removes what an aborted restore has left, the marker last. */
async function empty(directory: string): Promise<void> {
  const names = readdirSync(directory).filter((name) => name !== markerName)
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true })
}

/** Gives a finished directory to its owner. */
export async function handOver(directory: string, owner: Owner): Promise<void> {
  await chown(directory, owner.uid, owner.gid)
  await rm(join(directory, markerName), { force: true })
  await syncPath(directory)
}

/** Takes everything out again; the directory itself stays, for whoever made it. */
export async function giveUp(directory: string, owner: Owner): Promise<void> {
  await empty(directory)
  await handOver(directory, owner)
}
