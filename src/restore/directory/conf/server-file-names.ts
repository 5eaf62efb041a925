import { dirname, isAbsolute, join, normalize } from 'node:path'
import { type ReadableBackup, recordOf, type StoredBackup, snapshotOf } from '../../../catalog/backup.js'
import type { BackupRecord } from '../../../catalog/record.js'
import { PgbkError } from '../../../errors.js'
import { confFileIfThere, ordinaryConfFile } from '../../../snapshot/conf/conf-file.js'
import { inside } from '../../../system/paths/inside.js'
import { settingIn } from './production-conf.js'

export const autoConfName = 'postgresql.auto.conf'

/** The names of files that a server reads by itself. */
const ownNames = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf', autoConfName]

/** What is a server's data, or tells it what to do with that; its configuration has other names. */
const ofCluster =
  /^(?:(?:base|global|tablespaces|pg_(?:clog|commit_ts|dynshmem|logical|multixact|notify|replslot|serial|snapshots|stat|stat_tmp|subtrans|tblspc|twophase|wal|xact|xlog))(?:\/|$)|(?:recovery\.signal|standby\.signal|postmaster\.(?:pid|opts)|backup_label|tablespace_map|promote|PG_VERSION)$)/

/**
 * The names that the server's configuration files get in a data directory, by their paths on the server.
 * @throws {PgbkError} `damaged` for a name of the data.
 */
export function serverFileNames(backup: ReadableBackup): Map<string, string> {
  const record = recordOf(backup)
  const roles = record.configuration ? rolesOf(record.configuration) : guessedRoles(backup)
  const names = new Map(
    record.config_files.map(({ path, copy }): [string, string] => [
      path,
      roles.get(path) ?? (ownNames.includes(copy) ? join('of-server', copy) : copy),
    ]),
  )
  const wrong = [...names.values()].find((name) => ofCluster.test(normalize(name)))
  if (wrong === undefined) return names
  throw new PgbkError('damaged', `the record names a file of the data as configuration: ${wrong}`)
}

function rolesOf({
  main,
  hba,
  ident,
}: NonNullable<BackupRecord['configuration']>): Map<string | null, string> {
  return new Map<string | null, string>([
    [ident, 'pg_ident.conf'],
    [hba, 'pg_hba.conf'],
    [main, 'postgresql.conf'],
  ])
}

/** Earlier records do not tell: the main file comes first, and may name the two others; ALTER SYSTEM may have done so too. */
function guessedRoles(backup: ReadableBackup): Map<string | null, string> {
  const files = recordOf(backup).config_files
  const [first] = files
  const main = first && !/pg_(hba|ident)\.conf$/.test(first.path) ? first : undefined
  const text = [main?.copy, autoConfName]
    .map((copy) => (copy === undefined ? '' : (originalOf(backup, copy)?.toString('latin1') ?? '')))
    .join('\n')
  const roles = new Map<string | null, string>()
  for (const { path } of files) {
    if (path === main?.path) roles.set(path, 'postgresql.conf')
    else if (isNamed(text, 'hba_file', path, '/pg_hba.conf')) roles.set(path, 'pg_hba.conf')
    else if (isNamed(text, 'ident_file', path, '/pg_ident.conf')) roles.set(path, 'pg_ident.conf')
  }
  return roles
}

/** A relative name counts from the data directory. */
function isNamed(text: string, setting: string, path: string, ending: string): boolean {
  const named = settingIn(text, setting)
  if (named === undefined) return path.endsWith(ending)
  return path === named || (!isAbsolute(named) && path.endsWith(`/${named}`))
}

/**
 * The data directory that the server had, as far as that is known: an earlier record tells it where its configuration lay there.
 * @param data the data directory as it has come.
 */
export function dataDirectoryOf(backup: Pick<StoredBackup, 'raw'>, data: string): string | undefined {
  const { configuration, config_files: files } = recordOf(backup)
  if (configuration) return configuration.auto_conf === null ? undefined : dirname(configuration.auto_conf)
  const hasConf = ordinaryConfFile(join(data, 'postgresql.conf'), data) !== undefined
  return files[0] !== undefined && hasConf ? dirname(files[0].path) : undefined
}

/** One of the server's own files. @throws {PgbkError} `damaged` when it lies elsewhere, or is not an ordinary file. */
export function originalOf(backup: Pick<ReadableBackup, 'snapshot'>, copy: string): Buffer | undefined {
  const layout = snapshotOf(backup)
  return confFileIfThere(inside(layout.originalConf, copy), layout.snapshot)
}
