import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { rootLayout } from '../backup/layout.js'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { RecoveryPlan } from '../postgres/recovery-plan.js'
import { isOutside } from '../postgres/server-facts.js'
import { checkClaimable } from './claimed-directory.js'
import type { TablespacePlace } from './copy-cluster.js'
import { type SwitchedOff, switchedOff } from './production-conf.js'
import { settingsOfServer } from './production-directory.js'

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
  if (pgdata === '') throw new PgbkError('usage', '-D names no directory')
  const data = realPath(resolve(context.cwd, pgdata))
  const tablespaces = placesOf(backup, data, mappings)
  const own = realPath(rootLayout(root).data)
  const tops = topsOf(data, tablespaces)
  for (const directory of tops) refuseInside(directory, own)
  const [found] = tops.map((directory) => checkClaimable(directory, context))
  const { uid, gid } = context.user()
  const owner = uid === 0 ? (found ?? context.idsOf(runAs)) : { uid, gid }
  const mayRead = owner.uid === statSync(backup.layout.data).uid && canReach(backup.layout.wal, owner)
  return {
    backup,
    data,
    tablespaces,
    owner,
    switchedOff: asProduction ? undefined : switchedOff(backup.record, settingsOfServer(backup)),
    recovery,
    archive: mayRead ? backup.layout.wal : join(data, 'pgbk-wal'),
    port,
  }
}

/** The data directory, and the tablespaces outside of it. */
export function topsOf(data: string, tablespaces: TablespacePlace[]): string[] {
  return [data, ...tablespaces.map(({ target }) => target).filter((target) => !inside(target, data))]
}

/** Without symbolic links, as far as it is there. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realPath(dirname(path)), basename(path))
}

/** Whether every directory on the way lets this user through; of further groups nothing is known. */
function canReach(path: string, owner: Owner): boolean {
  const { mode, uid, gid } = statSync(path)
  const right = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
  return (mode & right) !== 0 && (dirname(path) === path || canReach(dirname(path), owner))
}

export function inside(path: string, directory: string): boolean {
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
  if (wanted.size < mappings.length)
    throw new PgbkError('usage', 'one tablespace is mapped to two places', {
      hint: 'Each --tablespace-mapping is for another tablespace.',
    })
  refuseOverlaps([data, ...wanted.values()])
  return tablespaces.map(({ oid, location }) => {
    const target = wanted.get(location) ?? join(data, 'tablespaces', String(oid))
    return { oid, directory: target, target }
  })
}

/** What is made and, if need be, emptied for one of them must not be another's. */
function refuseOverlaps(directories: string[]): void {
  directories.forEach((directory, index) => {
    const other = directories.find((one, at) => at !== index && inside(directory, one))
    if (other === undefined) return
    throw new PgbkError(
      'usage',
      `${directory} is ${directory === other ? 'named twice' : `inside of ${other}`}`,
      {
        hint: 'The data directory and each mapped tablespace need a directory of their own; without a mapping a tablespace goes into the data directory.',
      },
    )
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
  return [from, realPath(resolve(to))]
}
