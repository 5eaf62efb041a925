import type { Duplex } from 'node:stream'
import type postgres from 'postgres'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { openSocket, type SocketPlace } from './sockets.js'

/**
 * SQL without psql, which installations that are fetched for a run do not have. Only for servers that pgbk has started itself,
 * over their socket; the servers that are backed up are asked by psql, with libpq's ways to connect.
 */
export interface SqlTarget extends SocketPlace {
  user: string
  database: string
}

export interface SqlClient {
  /** Runs statements, without parameters, and returns the rows of the last one. @throws {PgbkError} `failed`. */
  run(statements: string): Promise<Record<string, unknown>[]>
  end(): Promise<void>
}

/**
 * Opens a connection; undefined while the server does not take any yet.
 * @throws {PgbkError} `failed` for any other reason, one being a socket that is another user's.
 */
export async function connectSql(target: SqlTarget): Promise<SqlClient | undefined> {
  const { default: connect } = await import('postgres')
  const door = openSocket(target)
  if (door === undefined) return undefined
  const { port, user, database } = target
  const sql = connect({
    host: door.host,
    port,
    user,
    database,
    password: '',
    ssl: false,
    max: 1,
    connect_timeout: 5,
    idle_timeout: 0,
    onnotice: () => {},
    fetch_types: false,
    // What ALTER ROLE has set for the role must not keep pgbk from writing to the copy.
    connection: { application_name: 'pgbk', options: '-c default_transaction_read_only=off' },
  })
  try {
    await sql.unsafe('SELECT 1')
    return { run: (statements) => runStatements(sql, statements), end: () => sql.end({ timeout: 1 }) }
  } catch (error) {
    await sql.end({ timeout: 0 })
    // 57P03: cannot_connect_now, the server is still starting.
    if (
      [
        'ENOENT',
        'ECONNREFUSED',
        'ECONNRESET',
        'EPIPE',
        '57P03',
        'CONNECT_TIMEOUT',
        'CONNECTION_CLOSED',
        'CONNECTION_DESTROYED',
      ].includes(systemCode(error) ?? '')
    )
      return undefined
    throw failed(error)
  } finally {
    door.close()
  }
}

/**
 * The databases through which a server can be asked while it replays, best first. The template comes last although it is always
 * there: replay of CREATE DATABASE copies it file by file (copydir.c), and ends the server when one is gone meanwhile, such as
 * pg_internal.init.PID, which a session that begins there writes and renames (relcache.c).
 */
export function databasesToAsk(names: string[]): string[] {
  return [...new Set(['postgres', ...names.filter((name) => name !== 'template1'), 'template1'])]
}

/**
 * The same to the first of some databases that takes connections.
 * @throws {PgbkError} `failed` when none does.
 */
export async function connectToAny(
  target: Omit<SqlTarget, 'database'>,
  databases: string[],
): Promise<SqlClient | undefined> {
  const [database = '', ...others] = databases
  try {
    return await connectSql({ ...target, database })
  } catch (error) {
    if (others.length === 0) throw error
    return connectToAny(target, others)
  }
}

async function runStatements(sql: postgres.Sql, statements: string): Promise<Record<string, unknown>[]> {
  try {
    const results: unknown = await sql.unsafe(statements).simple()
    if (!Array.isArray(results)) throw refuseCopy(results as Duplex)
    const last: unknown = Array.isArray(results.at(-1)) ? results.at(-1) : results
    return [...(last as Record<string, unknown>[])]
  } catch (error) {
    if (error instanceof PgbkError) throw error
    throw failed(error)
  }
}

/** The package answers COPY with a stream, whose error nobody else would hear. */
function refuseCopy(stream: Duplex): PgbkError {
  stream.on('error', () => {})
  if (stream.readable) stream.resume()
  return new PgbkError('failed', 'COPY from STDIN or to STDOUT needs psql', {
    hint: 'Use INSERT, or COPY with a file, or run the statements by psql, as the COMMAND of pgbk local-run.',
  })
}

function failed(cause: unknown): PgbkError {
  return new PgbkError('failed', `the working copy's server says: ${messageOf(cause)}`, { cause })
}
