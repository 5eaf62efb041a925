import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupRecord } from '../../catalog/record.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { runProgram } from '../../system/program/run-program.js'

/** Directories of one installation, as its own pg_config names them. */
interface Directories {
  libraries: string
  shared: string
}

/**
 * What will be different on this machine, in plain words: extensions, locales and collation versions that are missing or
 * others here, tables that are empty in every copy.
 */
export async function findDifferences(
  record: BackupRecord,
  bin: string,
  context: Context,
): Promise<string[]> {
  const [directories, locales, collations] = await Promise.all([
    record.extensions.length > 0 ? directoriesOf(bin, context) : undefined,
    missingLocales(record, context),
    otherCollations(record, context),
  ])
  return [
    ...missingExtensions(record, directories),
    ...locales,
    ...collations,
    ...emptyTables(record),
    ...outwardExtensions(record),
  ]
}

/**
 * Those of the server's preload libraries that a run has to load too: extensions of a database that refuse to work without,
 * start no jobs, and are installed here.
 */
export async function neededLibraries(
  record: BackupRecord,
  bin: string,
  context: Context,
): Promise<string[]> {
  const used = new Set(record.extensions.map(({ name }) => name))
  const needed = (record.preload_libraries ?? []).filter((name) => preloadable.has(name) && used.has(name))
  const directories = needed.length > 0 ? await directoriesOf(bin, context) : undefined
  if (!directories) return []
  return needed.filter((name) => existsSync(join(directories.libraries, `${name}.so`)))
}

/**
 * The server's preload libraries that a copy does without, though queries may need them.
 * @param loaded its own, as shared_preload_libraries has them.
 */
export function unloadedLibraries(
  { preload_libraries, extensions }: Pick<BackupRecord, 'preload_libraries' | 'extensions'>,
  loaded: string,
): string[] {
  const there = loaded.split(/[\s,"]+/)
  const used = new Set(extensions.map(({ name }) => name))
  // What only watches or refines, and is not an extension of a database, is not missed.
  const isMissed = (name: string) => used.has(name) || !harmlessLibraries.has(name)
  return (preload_libraries ?? []).filter((name) => !there.includes(name) && isMissed(name))
}

/** They only watch or refine what sessions do. pg_cron and the like would start jobs. */
const preloadable = new Set([
  'pg_stat_statements',
  'pg_hint_plan',
  'pgaudit',
  'plpgsql_check',
  'pg_qualstats',
  'pg_stat_kcache',
  'age',
])

/** Libraries whose settings do no more than that either. */
export const harmlessLibraries: ReadonlySet<string> = new Set([...preloadable, 'plpgsql', 'auto_explain'])

/** Undefined where the installation does not tell. */
export async function directoriesOf(bin: string, { env, signal }: Context): Promise<Directories | undefined> {
  const pgConfig = join(bin, 'pg_config')
  if (existsSync(pgConfig)) {
    const { status, stdout } = await runProgram(pgConfig, ['--pkglibdir', '--sharedir'], {
      env,
      signal,
    })
    const [libraries, shared] = stdout.split('\n')
    if (status === 0 && libraries && shared) return { libraries, shared }
  }
  const fetched = { libraries: join(bin, '../lib/postgresql'), shared: join(bin, '../share/postgresql') }
  return existsSync(fetched.shared) ? fetched : undefined
}

function missingExtensions({ extensions }: BackupRecord, directories: Directories | undefined): string[] {
  if (!directories) return []
  const missing = extensions.filter(
    ({ name }) => !existsSync(join(directories.shared, 'extension', `${name}.control`)),
  )
  const names = [...new Set(missing.map(({ name }) => name))]
  return names.map((name) => {
    const where = missing.filter((extension) => extension.name === name).map(({ database }) => database)
    return `extension ${name} (in ${where.join(', ')}) is not installed here: what uses its functions or types fails`
  })
}

async function missingLocales({ databases }: BackupRecord, context: Context): Promise<string[]> {
  const listed = await outputOf('locale', ['-a'], context)
  if (listed === undefined) return []
  const known = new Set(['c', 'posix', ...listed.split('\n').map(normalLocale)])
  const missing = databases.filter(({ ctype, locale, locale_provider }) =>
    [ctype, ...(locale_provider === 'libc' ? [locale] : [])].some((name) => !known.has(normalLocale(name))),
  )
  return missing.map(
    ({ name, locale }) => `locale ${locale} is missing here: database ${name} cannot be opened`,
  )
}

/** `en_US.UTF-8` and `en_US.utf8` are one locale. */
function normalLocale(name: string): string {
  return name.toLowerCase().replace(/-/g, '')
}

/** Whether text may be sorted in another way here than on the server, in plain words. */
export async function otherCollations(
  { databases, server }: BackupRecord,
  context: Context,
): Promise<string[]> {
  const ofLibc = databases.find(
    ({ locale_provider, collation_version }) => locale_provider === 'libc' && collation_version !== null,
  )
  const there = ofLibc?.collation_version ?? server.libc_version
  if (there === null || there === undefined) return []
  const here = /^glibc (\S+)/.exec((await outputOf('getconf', ['GNU_LIBC_VERSION'], context)) ?? '')?.[1]
  if (here === undefined || here === there) return []
  return [
    `text is sorted by libc ${here} here and by ${there} on the server: indexes on text may be in a wrong order (REINDEX if it matters)`,
  ]
}

/** What a program prints; undefined on systems that have no such program, or where it knows no answer. */
async function outputOf(file: string, args: string[], { env, signal }: Context): Promise<string | undefined> {
  try {
    const { status, stdout } = await runProgram(file, args, { env, signal })
    return status === 0 ? stdout : undefined
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'programs-missing') return undefined
    throw error
  }
}

/** A run itself reaches nothing; these do, when they are told to, with the addresses that the data has. */
function outwardExtensions({ extensions }: BackupRecord): string[] {
  const outward = new Set([
    'postgres_fdw',
    'dblink',
    'file_fdw',
    'mysql_fdw',
    'oracle_fdw',
    'tds_fdw',
    'pg_net',
    'http',
    'aws_s3',
  ])
  const found = [...new Set(extensions.map(({ name }) => name).filter((name) => outward.has(name)))]
  if (found.length === 0) return []
  return [
    `${found.join(', ')} can reach other servers from the copy as from the original, if a statement uses them`,
  ]
}

function emptyTables({ databases }: BackupRecord): string[] {
  const found = databases.filter(({ unlogged_tables }) => unlogged_tables)
  if (found.length === 0) return []
  return [
    `unlogged tables are empty in every copy: ${found.map(({ name, unlogged_tables }) => `${unlogged_tables} in ${name}`).join(', ')}`,
  ]
}
