import { accessSync, constants, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { shellWord } from '../text/shell-word.js'
import { type RootLayout, rootLayout } from './layout.js'

/**
 * Makes sure that a root can be written. Nothing is written yet.
 * @throws {PgbkError} `root-not-writable`.
 */
export function openRootToCreate(root: string, context: Context): RootLayout {
  const layout = rootLayout(root)
  checkWritable(layout, context)
  return layout
}

/**
 * The root itself is made only when its parent directory is there, which a mount point that is not mounted, or a mistyped
 * path, often is not.
 * @throws {PgbkError} `root-not-writable`.
 */
export function createRoot({ root, data, backups, gitignore }: RootLayout): void {
  const missing = [root, data, backups].filter((directory) => !existsSync(directory))
  try {
    for (const directory of missing) makeDirectory(directory)
    if (missing.includes(backups)) writeFileSync(gitignore, '*\n', { flag: 'wx' })
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw notWritable(`cannot make ${missing[0]}`, root, cause)
  }
}

/**
 * Checks that something in the root can be changed.
 * @throws {PgbkError} `root-not-writable` when it cannot be written.
 */
export function openRootToChange(root: string, context: Context): RootLayout {
  const layout = rootLayout(root)
  if (existsSync(layout.backups)) checkWritable(layout, context)
  return layout
}

/** Another create may make it in the same moment. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/** What there is of a root already, or around it: a place on its disk. */
export function existingDirectory({ backups, root }: RootLayout): string {
  return [backups, root, dirname(root)].find((directory) => existsSync(directory)) ?? '/'
}

function checkWritable({ root, data, backups }: RootLayout, context: Context): void {
  const existing = [backups, data, root, dirname(root)].find((directory) => existsSync(directory))
  try {
    accessSync(existing ?? dirname(root), constants.W_OK | constants.X_OK)
  } catch (cause) {
    const place = existing ?? dirname(root)
    const message = `user ${context.user().name} cannot write to ${place}`
    const isClosed = systemCode(cause) === 'EACCES'
    throw notWritable(message, root, cause, isClosed ? remedyFor(place, context) : undefined)
  }
}

/** The owner can help itself. */
function remedyFor(place: string, { user }: Context): string | undefined {
  const found = existsSync(place) ? statSync(place) : undefined
  if (!found?.isDirectory()) return undefined
  const { uid, name } = user()
  const path = shellWord(place)
  return found.uid === uid
    ? `Open it:\n  chmod u+rwx ${path}`
    : `If it is for pgbk alone, as root:\n  chown ${name} ${path}`
}

const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  ENOENT: 'no such directory',
  EROFS: 'the file system is read-only',
}

/** For a root directory that the user cannot work in; says what to do. */
export function notWritable(message: string, root: string, cause: unknown, remedy?: string): PgbkError {
  const code = systemCode(cause) ?? ''
  const hint = ['EROFS', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)
    ? 'Choose another root with -C.'
    : code === 'ENOENT'
      ? `Is a disk not mounted, or the path mistyped? If it is right:\n  mkdir -p ${shellWord(root)}`
      : `${remedy === undefined ? '' : `${remedy}\n`}Every directory on the way to ${root} must let that user through, and data/backup in it belong to that user. Choose another root with -C, or, when pgbk is started by root, another user with run_as (PGBK_RUN_AS).`
  return new PgbkError('root-not-writable', `${message}: ${reasons[code] ?? messageOf(cause)}`, {
    cause,
    hint,
  })
}
