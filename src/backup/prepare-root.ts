import { accessSync, constants, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { shellWord } from '../shell-word.js'
import { type RootLayout, rootLayout } from './layout.js'

/**
 * Makes sure that a root can be written, and gives up root privileges: new directories then belong to `runAs`, and nothing
 * existing changes its owner. For an ordinary user nothing is written yet.
 * @throws {PgbkError} `config` when there is no such user, `root-not-writable` when the root cannot be written.
 */
export function claimRoot(root: string, runAs: string, context: Context): RootLayout {
  const layout = rootLayout(root)
  if (context.user().uid === 0) becomeUser(layout, runAs, context, () => createMissing(layout))
  checkWritable(layout, context)
  return layout
}

/**
 * Looks whether a root could be claimed, and gives up root privileges for those of `runAs`; nothing is made.
 * @throws {PgbkError} as `claimRoot` does.
 */
export function examineRoot(root: string, runAs: string, context: Context): RootLayout {
  const layout = rootLayout(root)
  const byRoot = context.user().uid === 0
  if (byRoot) becomeUser(layout, runAs, context, () => [])
  // What is still missing root would make, and give to that user.
  if (!byRoot || existsSync(layout.backups)) checkWritable(layout, context)
  return layout
}

/** Makes the directories of a claimed root that are not there yet. */
export function makeRoot(layout: RootLayout): void {
  createMissing(layout)
}

/**
 * Gives up root privileges for those of the user whom the backups belong to, before something in the root is changed.
 * @throws {PgbkError} `root-not-writable` when it cannot be written.
 */
export function enterRoot(root: string, context: Context): RootLayout {
  const layout = rootLayout(root)
  if (!existsSync(layout.backups)) return layout
  if (context.user().uid === 0) context.become(statSync(layout.backups).uid)
  checkWritable(layout, context)
  return layout
}

/**
 * The root itself is made only when its parent directory is there, which a mount point that is not mounted, or a mistyped
 * path, often is not.
 */
function createMissing({ root, data, backups, gitignore }: RootLayout): string[] {
  const missing = [root, data, backups].filter((directory) => !existsSync(directory))
  try {
    for (const directory of missing) makeDirectory(directory)
    if (!missing.includes(backups) || existsSync(gitignore)) return missing
    writeFileSync(gitignore, '*\n')
    return [...missing, gitignore]
  } catch (cause) {
    throw notWritable(`cannot make ${missing[0]}`, root, cause)
  }
}

/** Another create may make it in the same moment. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

function becomeUser(layout: RootLayout, runAs: string, context: Context, make: () => string[]): void {
  const inside = deepestExisting(layout)
  try {
    context.become(runAs, { inside, make })
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw notWritable(`user ${runAs} cannot enter ${inside}`, layout.root, cause)
  }
}

function deepestExisting({ root, data, backups }: RootLayout): string {
  return [backups, data, root].find((directory) => existsSync(directory)) ?? dirname(root)
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

function notWritable(message: string, root: string, cause: unknown, remedy?: string): PgbkError {
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
