import type { BackupRecord } from '../../catalog/record.js'
import { majorOf } from '../../catalog/record.js'
import type { Config } from '../../config/schema.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { namedDatabases } from '../../postgres/local/database-names.js'
import { otherCollations } from '../../postgres/local/differences.js'
import {
  connectToAny,
  connectUsersSql,
  databasesAtRest,
  type UsersSqlClient,
} from '../../postgres/local/sql-client.js'
import { namesLack, wordsOf } from '../../postgres/sql/server-words.js'
import { type Sql, sql } from '../../postgres/sql/sql.js'
import { runSocket } from '../identity.js'
import type { Run } from '../start-run.js'
import { checkDatabase } from './check-database.js'
import { damage, type Finding, failureText, summary, unproven } from './finding.js'

interface CheckRequest {
  record: BackupRecord
  run: Run
  sql: Config['verify']['sql']
}

/**
 * Lets amcheck and pg_visibility look at the tables and indexes of every database of a run, as far as they are here (tables are read
 * in any case), and runs the user's own statements.
 * @throws {PgbkError} `failed` when the server lets nobody in; the signal's reason when aborted.
 */
export async function checkContents(request: CheckRequest, context: Context): Promise<Finding[]> {
  const { record, run, sql } = request
  context.progress.step(`proving ${record.id}: reading all tables and indexes`)
  const [libc] = await otherCollations(record, context)
  const findings = await whileOpen(request, context, async () => {
    const found: Finding[] = []
    for (const database of await databasesOf(request, context)) {
      const { signal } = context
      const target = { ...runSocket(run), user: run.role, database, major: majorOf(record), signal }
      found.push(
        ...summary(
          await checkDatabase({ target, log: run.log, hasEnded: run.server.hasEnded, libc }, context),
        ),
      )
    }
    return found
  })
  if (sql.length > 0) context.progress.step(`proving ${record.id}: your statements (verify.sql)`)
  for (const wanted of sql) findings.push(...(await checkStatement(run, wanted, context)))
  return findings
}

async function databasesOf({ record, run }: CheckRequest, { signal }: Context): Promise<string[]> {
  const major = majorOf(record)
  const target = { ...runSocket(run), user: run.role, major, signal }
  const client = await connectToAny(target, databasesAtRest([run.database]))
  if (!client) throw new PgbkError('failed', 'the server of the working copy accepts no connection')
  try {
    const databases = await namedDatabases(client)
    const open = databases.filter(({ closed }) => closed === undefined)
    return open.map(({ raw }) => raw).sort()
  } finally {
    await client.end()
  }
}

/** A database that is closed to all (ALLOW_CONNECTIONS false) is opened in the copy, and closed again before the user's statements. */
async function whileOpen(
  request: CheckRequest,
  { signal }: Context,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  const { record, run } = request
  const target = { ...runSocket(run), user: run.role, major: majorOf(record), signal }
  const inAny = async (statement: Sql, names: string[] = []) => {
    const client = await connectToAny(target, databasesAtRest([run.database]))
    try {
      return (await client?.run(statement, names)) ?? []
    } finally {
      await client?.end()
    }
  }
  const opened = (await inAny(open)).map(({ datname }) => String(datname))
  const findings = await work()
  for (const name of opened) await inAny(close, [name])
  return findings
}

/** Nothing was ever in template0 but what every database has; -2 is one that DROP DATABASE has left half. */
const open = sql`UPDATE pg_catalog.pg_database SET datallowconn = true
WHERE NOT datallowconn AND datname <> 'template0' AND datconnlimit <> -2 RETURNING datname`
const close = sql`UPDATE pg_catalog.pg_database SET datallowconn = false WHERE datname = $1`

/** That no session can be had for a statement says nothing about its answer. */
async function checkStatement(
  run: Run,
  wanted: CheckRequest['sql'][number],
  { signal }: Context,
): Promise<Finding[]> {
  const { statement, expect, database = run.database } = wanted
  const subject = { database }
  let client: UsersSqlClient | undefined
  try {
    client = await connectUsersSql({ ...runSocket(run), user: run.role, database, signal })
    if (!client) return [unproven(subject, `the server accepts no connection (${statement})`)]
    const [row = {}] = await client.run(statement)
    const answer = Object.values(row)[0]
    const isExpected =
      typeof expect === 'number' ? Number(answer) === expect : shownBy(answer) === String(expect)
    if (isExpected) return []
    const given = answer === undefined ? 'no row' : shownBy(answer) || 'nothing'
    return [damage(subject, `${statement} gives ${given} instead of ${String(expect) || 'nothing'}`)]
  } catch (error) {
    signal.throwIfAborted()
    const fault = `${failureText(error)} (${statement})`
    const words = wordsOf(error)
    const isLack = words !== undefined && namesLack(words)
    const isItsOwn = (client !== undefined && !isLack) || words?.sqlstate === noSuchDatabase
    return [isItsOwn ? damage(subject, fault) : unproven(subject, fault)]
  } finally {
    await client?.end()
  }
}

const noSuchDatabase = '3D000'

/** As psql does: nothing for null, and where there is no row. */
function shownBy(answer: unknown): string {
  return String(answer ?? '')
}
