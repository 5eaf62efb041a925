import { isAbsolute, join, relative, resolve } from 'node:path'
import { messageOf } from '../errors.js'
import { type Psql, query } from './psql.js'
import type { ServerFacts } from './server-facts.js'
import { sql } from './sql.js'

/** One of the server's configuration files. */
export interface ConfigFile {
  /** Where the server has it. */
  path: string
  /** Its name under conf/original: relative to the main file's directory, else its whole path. */
  copy: string
  /** Its path relative to the data directory when it lies there, and so comes with the base backup. */
  inData: string | undefined
  /** What is in it; undefined when it comes with the base backup or could not be read. */
  content: Buffer | undefined
  /** Why it could not be read. */
  refusal?: string
}

/**
 * The files that the server's configuration consists of, without postgresql.auto.conf. The list is empty where this role may
 * not even know their names.
 * @throws {PgbkError} when the connection is lost.
 */
export async function readConfigFiles(psql: Psql, facts: ServerFacts): Promise<ConfigFile[]> {
  const [main] = facts.config_files
  if (main === undefined) return []
  const included = (await query(psql, facts.role_is_superuser ? parsedFiles : appliedFiles))
    .split('\n')
    .filter(Boolean)
  const paths = [...new Set([...facts.config_files, ...included])].filter(
    (path) => !path.endsWith(`/${autoConf}`),
  )
  const files: ConfigFile[] = []
  for (const path of paths) {
    const inData = facts.data_directory === null ? undefined : relativeInside(facts.data_directory, path)
    const copy = relativeInside(join(main, '..'), path) ?? resolve('/', path).slice(1)
    const found = inData === undefined ? await readFromServer(psql, path) : { content: undefined }
    files.push({ path, copy, inData, ...found })
  }
  return files
}

/**
 * Those that did not come with the base backup although they lie in the data directory: PostgreSQL leaves links out. They are read
 * where they lead to, postgresql.auto.conf too.
 * @param isThere whether a path below the data directory is in the copy.
 * @throws {PgbkError} when the connection is lost.
 */
export async function readLinkedFiles(
  psql: Psql,
  files: ConfigFile[],
  { data_directory }: Pick<ServerFacts, 'data_directory'>,
  isThere: (inData: string) => boolean,
): Promise<ConfigFile[]> {
  const read = async (file: ConfigFile) =>
    file.inData === undefined || isThere(file.inData)
      ? file
      : { ...file, ...(await readFromServer(psql, file.path)) }
  const found: ConfigFile[] = []
  for (const file of files) found.push(await read(file))
  if (data_directory === null || files.length === 0 || isThere(autoConf)) return found
  const auto = { path: join(data_directory, autoConf), copy: autoConf, inData: autoConf, content: undefined }
  return [...found, await read(auto)]
}

const autoConf = 'postgresql.auto.conf'

const parsedFiles = sql`SELECT sourcefile FROM pg_catalog.pg_file_settings
UNION SELECT pg_catalog.to_jsonb(r)->>'file_name' FROM pg_catalog.pg_hba_file_rules r;`
const appliedFiles = sql`SELECT DISTINCT sourcefile FROM pg_catalog.pg_settings WHERE sourcefile IS NOT NULL;`

/** The path of a file inside a directory, or undefined when it lies elsewhere. */
export function relativeInside(directory: string, path: string): string | undefined {
  const inside = relative(directory, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? undefined : inside
}

/** More bytes than a path of PostgreSQL's has (MAXPGPATH in pg_config_manual.h). */
const longestPath = 4096

/** Roles may have been granted only one of the two functions; base64 keeps every byte of the file. */
async function readFromServer(psql: Psql, path: string): Promise<Pick<ConfigFile, 'content' | 'refusal'>> {
  if (path.length > longestPath) return { content: undefined, refusal: 'its path is too long' }
  try {
    const mayReadBytes = (await query(psql, bytesAllowed)).trim() === 't'
    const answer = await query(psql, mayReadBytes ? readBytes : readText, { values: { path } })
    return { content: Buffer.from(answer, 'base64') }
  } catch (error) {
    psql.signal?.throwIfAborted()
    return { content: undefined, refusal: messageOf(error) }
  }
}

const bytesAllowed = sql`SELECT pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text)', 'EXECUTE');`
const readBytes = sql`SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file(:'path'), 'base64');`
const readText = sql`SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_read_file(:'path'), 'UTF8'), 'base64');`
