import type { BackupRecord } from '../backup/record.js'
import { majorOf } from '../backup/record.js'
import type { Config } from '../config/schema.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { otherCollations } from '../postgres/differences.js'
import { programOf } from '../postgres/find.js'
import type { ServerPrograms } from '../postgres/find-server.js'
import { serverEnvironment } from '../postgres/server-process.js'
import { connectSql, type SqlClient } from '../postgres/sql-client.js'
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
  const names = await databasesOf(run)
  const checked = await amcheck(request, context)
  const faults = [...(checked ?? [])]
  for (const name of names) {
    context.signal.throwIfAborted()
    const read = checked === undefined ? readCatalogs : 'SELECT 1'
    faults.push(...(await inDatabase(run, name, async (client) => void (await client.run(read)))))
  }
  for (const wanted of sql) faults.push(...(await checkStatement(run, wanted)))
  return faults
}

async function databasesOf(run: Run): Promise<string[]> {
  const names: string[] = []
  const faults = await inDatabase(run, run.database, async (client) => {
    const rows = await client.run('SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname')
    names.push(...rows.map(({ datname }) => String(datname)))
  })
  if (faults[0] !== undefined) throw new PgbkError('failed', faults[0])
  return names
}

/** Any error is a fault of the backup. */
async function inDatabase(
  run: Run,
  database: string,
  work: (client: SqlClient) => Promise<void>,
): Promise<string[]> {
  let client: SqlClient | undefined
  try {
    client = await connectSql({ ...runSocket(run), user: run.role, database })
    if (!client) return [`database ${database}: the server takes no connection`]
    await work(client)
    return []
  } catch (error) {
    return [`database ${database}: ${messageOf(error)}`]
  } finally {
    await client?.end()
  }
}

/** Reads all rows of all system catalogs. */
const readCatalogs = `
DO $$ DECLARE catalog regclass; found bigint; BEGIN
  FOR catalog IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace LOOP
    EXECUTE format('SELECT count(t.*) FROM %s t', catalog) INTO found;
  END LOOP;
END $$`

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
    env: serverEnvironment(context),
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

async function checkStatement(run: Run, wanted: CheckRequest['sql'][number]): Promise<string[]> {
  const { statement, expect, database = run.database } = wanted
  let answer: unknown
  const faults = await inDatabase(run, database, async (client) => {
    const [row = {}] = await client.run(statement)
    answer = Object.values(row)[0]
  })
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
