import { join, resolve } from 'node:path'
import type { SnapshotLayout } from '../../catalog/layout.js'
import type { BackupRecord } from '../../catalog/record.js'
import { type IncludedFile, includedFiles } from '../../snapshot/conf/included-files.js'
import { relativeInside } from '../../system/paths/inside.js'
import { type Psql, query } from '../connection/psql.js'
import { sql } from '../sql/sql.js'
import { type FileReader, type RefusedFile, readerOfServer } from './config-reader.js'
import { majorVersion, type ServerFacts } from './server-facts.js'

/** One of the server's configuration files. */
export interface ConfigFile {
  /** Where the server has it. */
  path: string
  /** Its name under conf/original: relative to the main file's directory, else its whole path. */
  copy: string
  /** Its path relative to the data directory when it lies there, and has come with the base backup. */
  inData: string | undefined
  /** What is in it, when it has not come with the base backup. */
  content: Buffer | undefined
}

/** The configuration of a server as far as it could be had. */
export interface ConfigFiles {
  files: ConfigFile[]
  /** Which of them PostgreSQL reads as what, and what is missing; undefined where this role may not even know their names. */
  configuration: BackupRecord['configuration']
  /** The paths of those that are there, as far as can be told, and are closed to this role. */
  closed: string[]
}

/** A file that is to be read, and what as. */
interface Wanted {
  path: string
  kind: 'conf' | 'auth'
  /** `include_if_exists` is content without it. */
  mayBeMissing: boolean
}

/**
 * The files that the server's configuration consists of, found as PostgreSQL finds them: by what each includes, and by `@file` in
 * pg_hba.conf and pg_ident.conf. Those of its data directory are taken as they have come, others it is asked for.
 * postgresql.auto.conf is not among them, but what it includes.
 * @param layout where the data directory has been copied to, if it has.
 * @throws {PgbkError} when the connection is lost.
 */
export async function readConfigFiles(
  psql: Psql,
  facts: ServerFacts,
  layout: Pick<SnapshotLayout, 'data'> | undefined,
): Promise<ConfigFiles> {
  const [main, hba, ident] = facts.config_files
  if (main === undefined) return { files: [], configuration: undefined, closed: [] }
  const autoConf = facts.data_directory === null ? null : join(facts.data_directory, 'postgresql.auto.conf')
  const roots: Wanted[] = [
    main,
    ...(autoConf === null ? [] : [autoConf]),
    ...(await appliedFiles(psql, facts)),
  ]
    .map((path): Wanted => ({ path, kind: 'conf', mayBeMissing: path === autoConf }))
    .concat(
      [hba, ident]
        .filter((path) => path !== undefined)
        .map((path) => ({ path, kind: 'auth', mayBeMissing: false })),
    )
  const reader = readerOfServer(psql, facts.data_directory, layout)
  const { files, missing, closed } = await follow(roots, reader, majorVersion(facts))
  return {
    // One that has come with the data directory is kept in any case.
    files: files
      .filter(({ path, inData }) => path !== autoConf || inData === undefined)
      .map((file) => ({
        ...file,
        copy: file.path === autoConf ? 'postgresql.auto.conf' : copyName(main, file.path),
      })),
    configuration: { main, hba: hba ?? null, ident: ident ?? null, auto_conf: autoConf, missing },
    closed,
  }
}

function copyName(main: string, path: string): string {
  return relativeInside(join(main, '..'), path) ?? resolve('/', path).slice(1)
}

/** More files than any configuration has. */
const mostFiles = 10_000

/** Whatever stands in a configuration, a record can have it. */
const longestText = 5000

type FoundFile = Omit<ConfigFile, 'copy'>

async function follow(
  roots: Wanted[],
  reader: FileReader,
  major: number,
): Promise<{ files: FoundFile[]; missing: { path: string; reason: string }[]; closed: string[] }> {
  const files: FoundFile[] = []
  const missing = new Map<string, RefusedFile>()
  const waiting = [...roots]
  const seen = new Set<string>()
  for (let one = waiting.shift(); one !== undefined && seen.size < mostFiles; one = waiting.shift()) {
    if (seen.has(one.path)) continue
    seen.add(one.path)
    const found = await reader.read(one.path)
    if ('refusal' in found) {
      if (!(found.isMissing && one.mayBeMissing)) missing.set(one.path, found)
      continue
    }
    const { content, inData } = found
    files.push({ path: one.path, inData, content: inData === undefined ? content : undefined })
    const included = includedFiles(content.toString('latin1'), one.path, one.kind, major)
    waiting.push(...(await allWanted(included, one.kind, reader, missing)))
  }
  const told = [...missing].map(([path, { refusal }]) => ({
    path: path.slice(0, longestText),
    reason: refusal.slice(0, longestText),
  }))
  const closed = [...missing].flatMap(([path, { isMissing }]) => (isMissing ? [] : [path]))
  return { files, missing: told, closed }
}

/** @param missing gets the directories that cannot be looked into, with a slash at the end. */
async function allWanted(
  included: IncludedFile[],
  kind: Wanted['kind'],
  reader: FileReader,
  missing: Map<string, RefusedFile>,
): Promise<Wanted[]> {
  const wanted: Wanted[] = []
  for (const { type, path } of included) {
    const listed = type === 'include_dir' ? await reader.list(path) : { paths: [path] }
    if ('refusal' in listed) missing.set(`${path}/`, listed)
    else
      wanted.push(
        ...listed.paths.map((one) => ({ path: one, kind, mayBeMissing: type === 'include_if_exists' })),
      )
  }
  return wanted
}

/** Where a role may read no file, its settings still tell of some. */
async function appliedFiles(psql: Psql, { role_is_superuser }: ServerFacts): Promise<string[]> {
  if (role_is_superuser) return []
  return (await query(psql, filesOfSettings)).split('\n').filter(Boolean)
}

const filesOfSettings = sql`SELECT DISTINCT sourcefile FROM pg_catalog.pg_settings WHERE sourcefile IS NOT NULL;`
