import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { serverFailure } from '../postgres/local/server-log.js'
import type { SocketPlace } from '../postgres/local/sockets.js'
import { connectSql, type SqlClient, type SqlTarget } from '../postgres/local/sql-client.js'
import { sql } from '../postgres/sql/sql.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import { endsWithin, type SupervisedServer } from './enclosure/supervisor.js'

/** What is needed to talk to the server of a run. */
export interface AnsweringServer {
  directory: OwnRunDirectory
  server: Pick<SupervisedServer, 'hasEnded'>
  port: number
  role: string
  database: string
  /** Of PostgreSQL. */
  major: number
  log: string
}

/** Where only its owner, and pgbk, get in. */
export function runSocket({ directory, port }: Pick<AnsweringServer, 'directory' | 'port'>): SocketPlace {
  return { host: directory.sockets, port, isPrivate: true }
}

/**
 * To be asked before anything is changed, or any secret is sent: whether the server is the one whose configuration has the run's
 * `identityLine()`.
 * @throws {PgbkError} `failed` when another one answers in its place; the client is ended then.
 */
export async function checkIsRun(
  client: SqlClient,
  { secret, sockets }: Pick<OwnRunDirectory, 'secret' | 'sockets'>,
): Promise<void> {
  const rows = await client.run(sql`SELECT pg_catalog.current_setting('pgbk.secret', true) AS secret`)
  if (rows[0]?.secret === secret) return
  await client.end()
  throw new PgbkError('failed', `another server answers at the socket in ${sockets}`, { hint: 'Try again.' })
}

function targetOf(run: AnsweringServer, { signal }: Pick<Context, 'signal'>): SqlTarget {
  const { role, database, major } = run
  return { ...runSocket(run), user: role, database, major, signal }
}

/** A server that is there, and says nothing, has not ended. */
const longestAnswerMs = 5000

/**
 * Whether the server has ended; one that takes no connection any more gets a moment, because its process goes last. When aborted,
 * nothing is waited for.
 */
export async function hasGone(run: AnsweringServer, context: Pick<Context, 'signal'>): Promise<boolean> {
  const { server } = run
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(longestAnswerMs)])
  const client = await connectSql(targetOf(run, { signal })).catch(() => 'answers' as const)
  if (typeof client === 'object') await client.end()
  if (client === undefined) await endsWithin(1000, () => server.hasEnded() || context.signal.aborted)
  return server.hasEnded()
}

/**
 * To be asked right before others are led to a run.
 * @throws {PgbkError} `failed` when its server has ended, or another one answers in its place; the signal's reason when aborted.
 */
export async function checkStillRuns(run: AnsweringServer, context: Pick<Context, 'signal'>): Promise<void> {
  const { server, directory } = run
  const client = server.hasEnded() ? undefined : await connectSql(targetOf(run, context))
  context.signal.throwIfAborted()
  if (client === undefined || server.hasEnded()) throw endedByItself(run)
  await checkIsRun(client, directory)
  await client.end()
}

/** The error for a run whose server is gone, with what its log says of it. */
export function endedByItself({ log }: Pick<AnsweringServer, 'log'>): PgbkError {
  return serverFailure(`the server of the working copy ended by itself (log: ${log})`, log)
}
