import { constants, statSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { copyTree } from '../backup/copy-tree.js'
import { rootLayout } from '../backup/layout.js'
import type { Owner } from '../backup/owner.js'
import { recoverySettings } from '../backup/recovery-conf.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import type { RecoveryPlan } from '../postgres/recovery-plan.js'
import { isOutside } from '../postgres/server-facts.js'
import { checkClaimable, claim, giveUp, handOver } from './claimed-directory.js'
import { copyCluster, copyControlFile, type TablespacePlace } from './copy-cluster.js'
import { type SwitchedOff, switchedOff } from './production-conf.js'
import { writeProductionConf } from './production-directory.js'

/** A standard data directory that a backup is to be restored into. */
export interface DirectoryRequest {
  backup: Backup
  data: string
  tablespaces: TablespacePlace[]
  owner: Owner
  /** Undefined for `--as-production`. */
  switchedOff: SwitchedOff | undefined
  recovery: RecoveryPlan
  /** Where its first start finds the WAL: in the backup, or, if the owner may not read that, copied into the directory. */
  archive: string
  /** Another port than that of the server's configuration. */
  port: number | undefined
}

export interface DirectoryOptions {
  root: string
  /** As the user wrote it. */
  pgdata: string
  /** `OLD=NEW`, as pg_basebackup takes them. */
  mappings: string[]
  asProduction: boolean
  runAs: string
  port: number | undefined
}

/**
 * Checks everything about a directory that is to be restored into; writes nothing.
 * @throws {PgbkError} `usage`, `failed` or `locked`, as `checkClaimable`.
 */
export function planDirectory(
  backup: Backup,
  recovery: RecoveryPlan,
  { root, pgdata, mappings, asProduction, runAs, port }: DirectoryOptions,
  context: Context,
): DirectoryRequest {
  const data = resolve(context.cwd, pgdata)
  refuseInside(data, rootLayout(root).data)
  const found = checkClaimable(data, context)
  const tablespaces = placesOf(backup, data, mappings)
  for (const { target } of tablespaces.filter((place) => !inside(place.target, data))) {
    refuseInside(target, rootLayout(root).data)
    checkClaimable(target, context)
  }
  const { uid, gid } = context.user()
  const owner = uid === 0 ? (found ?? context.idsOf(runAs)) : { uid, gid }
  const mayRead = owner.uid === statSync(backup.layout.data).uid
  return {
    backup,
    data,
    tablespaces,
    owner,
    switchedOff: asProduction ? undefined : switchedOff(backup.record),
    recovery,
    archive: mayRead ? backup.layout.wal : join(data, 'pgbk-wal'),
    port,
  }
}

function inside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep)
}

function refuseInside(path: string, data: string): void {
  if (!inside(path, data)) return
  throw new PgbkError('usage', `${path} is inside of ${data}, where pgbk keeps its own`, {
    hint: 'Without -D, pgbk restore makes an instance there. Choose another directory.',
  })
}

function placesOf({ record }: Backup, data: string, mappings: string[]): TablespacePlace[] {
  const tablespaces = record.tablespaces.filter(isOutside)
  const wanted = new Map(mappings.map((mapping) => parseMapping(mapping, tablespaces)))
  const targets = [...wanted.values()]
  const twice = targets.find((target, index) => target === data || targets.indexOf(target) !== index)
  if (twice !== undefined)
    throw new PgbkError('usage', `${twice} is named for two things`, {
      hint: 'Each tablespace needs a directory of its own.',
    })
  return tablespaces.map(({ oid, location }) => {
    const target = wanted.get(location) ?? join(data, 'tablespaces', String(oid))
    return { oid, directory: target, target }
  })
}

/** `=` inside of a path is escaped with a backslash, as for pg_basebackup. @throws {PgbkError} `usage`. */
function parseMapping(mapping: string, tablespaces: Backup['record']['tablespaces']): [string, string] {
  const [, old = '', target = ''] = /^((?:[^\\=]|\\.)*)=((?:[^\\=]|\\.)*)$/s.exec(mapping) ?? []
  const [from, to] = [old, target].map((path) => path.replaceAll('\\=', '=')) as [string, string]
  if (!isAbsolute(from) || !isAbsolute(to)) {
    throw new PgbkError('usage', `${JSON.stringify(mapping)} is no tablespace mapping`, {
      hint: 'Write it as OLD=NEW with two absolute paths; a = inside of a path is written \\=.',
    })
  }
  if (!tablespaces.some(({ location }) => location === from)) {
    const known = tablespaces.map(({ location, name }) => `  ${location}   (${name})`).join('\n')
    throw new PgbkError('usage', `the backup has no tablespace at ${from}`, {
      hint: known ? `It has:\n${known}` : 'It has none at all.',
    })
  }
  return [from, resolve(to)]
}

/**
 * Fills the directory. Whatever goes wrong, it cannot be started, and is empty again in the end.
 * @returns what was changed in the configuration or is missing, in plain words.
 */
export async function restoreDirectory(request: DirectoryRequest, context: Context): Promise<string[]> {
  const { data, owner, tablespaces } = request
  const tops = [data, ...tablespaces.map(({ target }) => target).filter((target) => !inside(target, data))]
  const claimed: string[] = []
  try {
    for (const directory of tops) {
      await claim(directory, owner, context)
      claimed.unshift(directory)
    }
    const notes = await fill(request, context)
    context.signal.throwIfAborted()
    // The data directory last: its marker tells that nothing is finished yet.
    for (const directory of claimed) await handOver(directory, owner)
    return notes
  } catch (error) {
    context.progress.step('cleaning up')
    for (const directory of claimed) await tryToGiveUp(directory, owner, context)
    throw error
  }
}

async function fill(request: DirectoryRequest, context: Context): Promise<string[]> {
  const { backup, data, owner, tablespaces } = request
  const inner = tablespaces.filter(({ target }) => inside(target, data))
  for (const { directory } of inner) await mkdir(directory, { recursive: true })
  await copyCluster(backup, { data, tablespaces }, owner, context)
  const parents = inner.length > 0 ? [dirname(inner[0]?.directory ?? '')] : []
  for (const directory of [...inner.map((place) => place.directory), ...parents])
    await chown(directory, owner.uid, owner.gid)
  const notes = await writeConf(request, context)
  await copyControlFile(backup, data, owner)
  return notes
}

async function writeConf(request: DirectoryRequest, { signal }: Context): Promise<string[]> {
  const { backup, archive, owner, recovery: plan } = request
  const recovery = plan.recovery && recoverySettings({ ...plan.recovery, archive })
  const notes = await writeProductionConf({ ...request, recovery })
  if (!recovery || archive === backup.layout.wal) return notes
  await mkdir(archive)
  await copyTree(backup.layout.wal, archive, {
    mode: constants.COPYFILE_FICLONE,
    owner,
    durable: true,
    signal,
  })
  return [...notes, `${archive} holds the WAL for the first start; remove it when that is done`]
}

/** Its own failures must not hide why it came to this; the next restore into this directory takes it up again. */
async function tryToGiveUp(directory: string, owner: Owner, { progress }: Context): Promise<void> {
  try {
    await giveUp(directory, owner)
  } catch (error) {
    progress.warn(
      `${directory} could not be emptied, the next restore into it will try again: ${messageOf(error)}`,
    )
  }
}
