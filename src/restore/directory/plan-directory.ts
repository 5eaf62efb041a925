import { isAbsolute, join, resolve, sep } from 'node:path'
import { type ReadableBackup, recordOf, type StoredBackup } from '../../catalog/backup.js'
import { rootLayout } from '../../catalog/layout.js'
import type { BackupRecord } from '../../catalog/record.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { isOutside } from '../../postgres/server/server-facts.js'
import type { RecoveryPlan } from '../../recovery/recovery-plan.js'
import { realPath } from '../../system/paths/real-path.js'
import type { TablespacePlace } from '../copy/copy-cluster.js'
import { checkClaimable } from './claimed-directory.js'
import { type SwitchedOff, switchedOff } from './conf/production-conf.js'
import { serverFileNames } from './conf/server-file-names.js'
import { settingsOfServer } from './production-directory.js'

/** A standard data directory that a backup is to be restored into. */
export interface DirectoryRequest {
  backup: ReadableBackup
  data: string
  tablespaces: TablespacePlace[]
  /** Undefined for `--as-production`. */
  switchedOff: SwitchedOff | undefined
  recovery: RecoveryPlan
  /** What the server ran with, at least (`recoveryMinimums`). */
  minimums: Readonly<Record<string, number>>
  /** Where its first start finds a copy of the WAL, if its owner may not read that where it lies, or it does not stay there. */
  archive: string | undefined
  /** A copy of the backup that goes when the directory is filled: its files are moved. */
  staging?: string
  /** Another port than that of the server's configuration. */
  port: number | undefined
  /** It belongs to another user than the backup. */
  isOfAnother: boolean
  /** What in the data directory will be of the server's configuration: files, and directories of files. */
  configEntries: string[]
}

interface DirectoryOptions {
  root: string
  /** As the user wrote it. */
  pgdata: string
  /** `OLD=NEW`, as pg_basebackup takes them. */
  mappings: string[]
  asProduction: boolean
  /** It belongs to another user than the backup, who looks at it, fills it, and has the WAL in it. */
  isOfAnother: boolean
  /** Root's own, and empty; they will be the caller's. */
  willBeGiven: string[]
  minimums: Readonly<Record<string, number>>
  port: number | undefined
}

/**
 * Checks everything about a directory that is to be restored into; writes nothing.
 * @throws {PgbkError} `usage`, `failed` or `locked`, as `checkClaimable`.
 */
export function planDirectory(
  backup: ReadableBackup,
  recovery: RecoveryPlan,
  { root, pgdata, mappings, asProduction, isOfAnother, willBeGiven, minimums, port }: DirectoryOptions,
  context: Context,
): DirectoryRequest {
  if (pgdata === '') throw new PgbkError('usage', '-D names no directory')
  const data = realPath(resolve(context.cwd, pgdata))
  const tablespaces = tablespacePlaces(backup, data, mappings)
  const own = realPath(rootLayout(root).data)
  const tops = topsOf(data, tablespaces)
  for (const directory of tops) refuseInside(directory, own)
  const looked = isOfAnother ? [] : tops.filter((directory) => !willBeGiven.includes(directory))
  for (const directory of looked) checkClaimable(directory, context)
  return {
    backup,
    data,
    tablespaces,
    switchedOff: asProduction ? undefined : switchedOff(recordOf(backup), settingsOfServer(backup)),
    recovery,
    minimums,
    archive: isOfAnother || backup.borrowed ? join(data, archiveCopy) : undefined,
    port,
    isOfAnother,
    configEntries: [
      ...new Set([...serverFileNames(backup).values()].map((name) => name.split('/')[0] ?? name)),
    ],
  }
}

/** The copy of the WAL archive, in the data directory. */
const archiveCopy = 'pgbk-wal'

/** The data directory, and the tablespaces outside of it. */
export function topsOf(data: string, tablespaces: TablespacePlace[]): string[] {
  return [data, ...tablespaces.map(({ target }) => target).filter((target) => !isAtOrBelow(target, data))]
}

/** The directories that will be filled, with their bytes. */
export function directoryPlaces(
  { size_bytes, tablespaces: known }: BackupRecord,
  { data, tablespaces }: Pick<DirectoryRequest, 'data' | 'tablespaces'>,
): Map<string, number> {
  const sizeOf = (oid: number) => known.find((one) => one.oid === oid)?.size_bytes ?? 0
  const outside = tablespaces.map(({ oid, target }): [string, number] => [target, sizeOf(oid)])
  const rest = size_bytes - outside.reduce((sum, [, bytes]) => sum + bytes, 0)
  return new Map([...outside, [data, rest]])
}

export function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep)
}

function refuseInside(path: string, data: string): void {
  if (!isAtOrBelow(path, data)) return
  throw new PgbkError('usage', `${path} is inside of ${data}, where pgbk keeps its own`, {
    hint: 'Without -D, pgbk restore makes an instance there. Choose another directory.',
  })
}

/** Where the tablespaces go: as they are mapped, else into the data directory. @throws {PgbkError} `usage`. */
export function tablespacePlaces(
  backup: Pick<StoredBackup, 'raw'>,
  data: string,
  mappings: string[],
): TablespacePlace[] {
  const tablespaces = recordOf(backup).tablespaces.filter(isOutside)
  const wanted = new Map(
    mappings.map(parseMapping).map(([from, to]): [string, string] => [from, realPath(to)]),
  )
  for (const from of wanted.keys()) checkKnown(from, tablespaces)
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
    const other = directories.find((one, at) => at !== index && isAtOrBelow(directory, one))
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

/**
 * `OLD=NEW`; `=` inside of a path is escaped with a backslash, as for pg_basebackup.
 * @throws {PgbkError} `usage`.
 */
export function parseMapping(mapping: string): [from: string, to: string] {
  const [, old = '', target = ''] = /^((?:[^\\=]|\\.)*)=((?:[^\\=]|\\.)*)$/s.exec(mapping) ?? []
  const [from, to] = [old, target].map((path) => path.replaceAll('\\=', '=')) as [string, string]
  if (!isAbsolute(from) || !isAbsolute(to)) {
    throw new PgbkError('usage', `${JSON.stringify(mapping)} is not a tablespace mapping`, {
      hint: 'Write it as OLD=NEW with two absolute paths; a = inside of a path is written \\=.',
    })
  }
  return [from, resolve(to)]
}

/** @throws {PgbkError} `usage` for a mapping of a tablespace that there is not. */
function checkKnown(from: string, tablespaces: BackupRecord['tablespaces']): void {
  if (tablespaces.some(({ location }) => location === from)) return
  const known = tablespaces.map(({ location, name }) => `  ${location}   (${name})`).join('\n')
  throw new PgbkError('usage', `the backup has no tablespace at ${from}`, {
    hint: known ? `It has:\n${known}` : 'It has none at all.',
  })
}
