import { existsSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs'
import { chmod, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Context } from '../../context.js'
import { PgbkError, systemCode, systemFailure } from '../../errors.js'
import { runningServer } from '../../postgres/local/running.js'
import { syncPath } from '../../system/files/durable.js'
import { emptyMarked } from '../../system/files/marked-directory.js'
import type { ProcessMark } from '../../system/process/process-mark.js'
import { shellWord } from '../../text/shell-word.js'
import {
  checkRestoreGone,
  emptying,
  readRestoreMarker,
  restoreMarkerIn,
  retireRestoreMarker,
  writeRestoreMarker,
} from './restore-marker.js'

/**
 * Makes sure that a directory can be filled by a restore: absent, with its parent there, or empty, or the remains of a restore
 * that did not end. Writes nothing.
 * @throws {PgbkError} `usage` for any other directory, `failed` when a server runs in it or it cannot be written, `locked`.
 */
export function checkClaimable(directory: string, context: Context): void {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found) {
    checkParent(directory)
    return
  }
  if (!found.isDirectory()) throw new PgbkError('usage', `${directory} is not a directory`)
  const caller = context.user().uid
  if (found.uid !== caller) {
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
  const marker = readRestoreMarker(directory, caller)
  if (marker) checkRemains(directory, marker)
  else if (readdirSync(directory).length > 0) throw notEmpty(directory)
}

function checkParent(directory: string): void {
  const parent = dirname(directory)
  if (existsSync(parent)) return
  throw new PgbkError('usage', `${parent} does not exist`, {
    hint: `Is a disk not mounted, or the path mistyped? If it is right:  mkdir -p ${shellWord(parent)}`,
  })
}

/** Somebody who has started a server there since may have made something that is to stay. */
function checkRemains(directory: string, marker: ProcessMark): void {
  checkRestoreGone(directory, marker)
  // Every start writes it, and pg_basebackup leaves it out; of other traces a restored server's own backup may have some.
  if (existsSync(join(directory, 'postmaster.opts'))) throw notEmpty(directory)
}

/** With nothing in it but what the file system itself has there (pg_check_dir in src/port/pgcheckdir.c), or with that too. */
function isMountPoint(directory: string): boolean {
  const names = readdirSync(directory)
  if (names.includes('lost+found')) return true
  const isTop = statSync(directory).dev !== statSync(dirname(directory)).dev
  return isTop && names.every((name) => name.startsWith('.'))
}

/** What is in a directory is somebody's. */
function notEmpty(directory: string): PgbkError {
  if (isMountPoint(directory))
    return new PgbkError('usage', `${directory} is not empty: it is the top of a file system`, {
      hint: `Nothing was changed. Restore into a directory below it, as PostgreSQL's manual advises for mount points:  -D ${shellWord(join(directory, 'data'))}`,
    })
  const cluster = /^\/var\/lib\/postgresql\/(\d+)\/([^/]+)$/.exec(directory)
  const stop = cluster ? `pg_ctlcluster ${cluster[1]} ${cluster[2]} stop && ` : ''
  return new PgbkError('usage', `${directory} is not empty`, {
    hint: `Nothing was changed. Restore into another directory; or, if no server uses what is in it and it is not needed (a freshly made cluster?):  ${stop}${emptying(directory)}`,
  })
}

/**
 * Makes a directory that was found claimable, or takes what an aborted restore has left out of it, and marks it. It is
 * the caller's alone until `releaseDirectory`.
 * @throws {PgbkError} as `checkClaimable`, when somebody has begun to use it since; `failed` or `disk-full`. What is there then is
 * as it was.
 */
export async function claimDirectory(directory: string, context: Context): Promise<void> {
  const before = make(directory)
  if (before) checkClaimable(directory, context)
  const hasRemains = existsSync(restoreMarkerIn(directory))
  try {
    await chmod(directory, 0o700)
    checkClaimable(directory, context)
    if (hasRemains) retireRestoreMarker(directory)
    writeRestoreMarker(directory)
    if (hasRemains) await emptyMarked(restoreMarkerIn(directory))
    await syncPath(directory)
  } catch (cause) {
    // Who holds it now has taken it in the same way; to put it back would be to take it from them.
    if (!isLocked(cause))
      await (before ? chmod(directory, before.mode & 0o7777) : rmdir(directory).catch(() => {}))
    throw cannotWrite(directory, cause)
  }
}

/** Makes a directory where there is none; else tells what it is. */
function make(directory: string): Stats | undefined {
  try {
    mkdirSync(directory)
    return undefined
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return statSync(directory)
    throw cannotWrite(directory, cause)
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof PgbkError && error.code === 'locked'
}

function cannotWrite(directory: string, cause: unknown): PgbkError {
  return cause instanceof PgbkError ? cause : systemFailure(`cannot write to ${directory}`, cause)
}

/** A finished directory is no restore's any more. */
export async function releaseDirectory(directory: string): Promise<void> {
  await rm(restoreMarkerIn(directory), { force: true })
  await syncPath(directory)
}

/** Takes everything out again; the directory itself stays, for whoever made it. */
export async function emptyAndRelease(directory: string): Promise<void> {
  await emptyMarked(restoreMarkerIn(directory))
  await releaseDirectory(directory)
}
