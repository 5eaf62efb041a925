import type { BackupRecord } from '../backup/record.js'
import { majorOf } from '../backup/record.js'
import type { Config } from '../config/schema.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { namedDatabases } from '../postgres/database-names.js'
import { otherCollations } from '../postgres/differences.js'
import { programOf } from '../postgres/find.js'
import type { ServerPrograms } from '../postgres/find-server.js'
import { serverEnvironment } from '../postgres/server-process.js'
import { copyOptions } from '../postgres/session-pins.js'
import { Sql, sql } from '../postgres/sql.js'
import {
  connectSql,
  connectToAny,
  connectUsersSql,
  databasesAtRest,
  type SqlClient,
} from '../postgres/sql-client.js'
import { runProgram } from '../program/run-program.js'
import { runSocket } from './identity.js'
import type { Run } from './start-run.js'

export interface CheckRequest {
  record: BackupRecord
  programs: ServerPrograms
  run: Run
  sql: Config['verify']['sql']
}

/**
 * Connects to every database of a run, lets pg_amcheck read its tables and indexes (where it is installed; else every system
 * catalog is read), and runs the user's own statements.
 * @returns what is wrong, in plain words.
 */
export async function checkContents(request: CheckRequest, context: Context): Promise<string[]> {
  const { run, sql } = request
  const faults: string[] = []
  const each = async (names: string[], work: (client: SqlClient) => Promise<void>) => {
    const found: string[] = []
    for (const name of names) {
      context.signal.throwIfAborted()
      const faultsThere = await inDatabase(request, name, context, work)
      faults.push(...faultsThere)
      if (faultsThere.length === 0) found.push(name)
    }
    return found
  }
  const sound = await each(await databasesOf(request, context), takeAmcheckHome)
  const checked = await amcheck(request, context)
  if (checked) faults.push(...checked)
  else await each(sound, readCatalogs)
  for (const wanted of sql) faults.push(...(await checkStatement(run, wanted, context)))
  return faults
}

async function databasesOf({ record, run }: CheckRequest, { signal }: Context): Promise<string[]> {
  const major = majorOf(record)
  const target = { ...runSocket(run), user: run.role, major, signal }
  const client = await connectToAny(target, databasesAtRest([run.database]))
  if (!client) throw new PgbkError('failed', 'the server of the working copy takes no connection')
  try {
    const databases = await namedDatabases(client)
    return databases.filter(({ closed }) => closed === undefined).map(({ raw }) => raw)
  } finally {
    await client.end()
  }
}

/** Any error is a fault of the backup, but not that the check was interrupted. */
function inDatabase(
  { record, run }: CheckRequest,
  database: string,
  { signal }: Context,
  work: (client: SqlClient) => Promise<void>,
): Promise<string[]> {
  const major = majorOf(record)
  const place = { ...runSocket(run), user: run.role, database, major, signal }
  return inSession(place, () => connectSql(place), work)
}

async function inSession<Client extends { end(): Promise<void> }>(
  { database, signal }: { database: string; signal: AbortSignal },
  connect: () => Promise<Client | undefined>,
  work: (client: Client) => Promise<void>,
): Promise<string[]> {
  let client: Client | undefined
  try {
    client = await connect()
    if (!client) return [`database ${database}: the server takes no connection`]
    await work(client)
    return []
  } catch (error) {
    signal.throwIfAborted()
    return [`database ${database}: ${messageOf(error)}`]
  } finally {
    await client?.end()
  }
}

/**
 * pg_amcheck calls the functions of the extension in whatever schema they are. Whoever may create something there could have made
 * one that fits its calls better.
 */
async function takeAmcheckHome(client: SqlClient): Promise<void> {
  const [elsewhere] = await client.run(
    sql`SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'amcheck' AND extnamespace <> 'pg_catalog'::pg_catalog.regnamespace`,
  )
  if (elsewhere) await client.run(sql`ALTER EXTENSION amcheck SET SCHEMA pg_catalog`)
}

/** Reads all rows of all system catalogs. */
async function readCatalogs(client: SqlClient): Promise<void> {
  const catalogs = await client.run(
    sql`SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::pg_catalog.regnamespace`,
  )
  for (const { relname } of catalogs)
    await client.run(sql`SELECT pg_catalog.count(t.*) FROM pg_catalog.${Sql.named(String(relname))} t`)
}

/** Undefined where it cannot be asked: before PostgreSQL 14, and where the amcheck extension is not installed. */
async function amcheck(
  { record, programs, run }: CheckRequest,
  context: Context,
): Promise<string[] | undefined> {
  const program = programOf(majorOf(record), 'pg_amcheck', programs.installations)
  if (program === undefined) return undefined
  context.progress.step(`proving ${record.id}: reading all tables and indexes (pg_amcheck)`)
  // An index that another C library has sorted is in a wrong order for this one, and no fault of the backup.
  const otherOrder = (await otherCollations(record, context)).length > 0
  const place = ['--host', run.directory.sockets, '--port', String(run.port), '--username', run.role]
  const how = ['--all', '--install-missing', '--jobs=2', ...(otherOrder ? ['--no-dependent-indexes'] : [])]
  const { status, stdout, stderr, endedBy } = await runProgram(program, [...place, ...how], {
    env: { ...serverEnvironment(context), PGOPTIONS: copyOptions(majorOf(record)) },
    signal: context.signal,
  })
  if (status === 0) return []
  if (/extension "amcheck" is not available|could not open extension control file/.test(stderr))
    return undefined
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  const more = lines.length > 5 ? [`pg_amcheck: and ${lines.length - 5} more lines`] : []
  if (lines.length === 0) return [`pg_amcheck ended by ${endedBy ?? `status ${status}`}`]
  return [...lines.slice(0, 5).map((line) => `pg_amcheck: ${line.trim()}`), ...more]
}

async function checkStatement(
  run: Run,
  wanted: CheckRequest['sql'][number],
  { signal }: Context,
): Promise<string[]> {
  const { statement, expect, database = run.database } = wanted
  let answer: unknown
  const place = { ...runSocket(run), user: run.role, database, signal }
  const faults = await inSession(
    place,
    () => connectUsersSql(place),
    async (client) => {
      const [row = {}] = await client.run(statement)
      answer = Object.values(row)[0]
    },
  )
  if (faults.length > 0) return faults.map((fault) => `${fault} (${statement})`)
  const isExpected =
    typeof expect === 'number' ? Number(answer) === expect : shownBy(answer) === String(expect)
  if (isExpected) return []
  const given = answer === undefined ? 'no row' : shownBy(answer) || 'nothing'
  return [`database ${database}: ${statement} gives ${given} instead of ${String(expect) || 'nothing'}`]
}

/** As psql does: nothing for null, and where there is no row. */
function shownBy(answer: unknown): string {
  return String(answer ?? '')
}
