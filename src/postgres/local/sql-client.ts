import type { Duplex } from 'node:stream'
import type postgres from 'postgres'
import { PgbkError } from '../../errors.js'
import { lockNotAvailable, wordsOf } from '../sql/server-words.js'
import { copyOptions, usersOptions } from '../sql/session-pins.js'
import { type Sql, sql } from '../sql/sql.js'
import { preparedTransactions } from './prepared-transactions.js'
import {
  isNotReady,
  isSilent,
  mostWaitS,
  sessionCutOff,
  sessionFailed,
  sessionLockedOut,
} from './session-failures.js'
import { type SessionSocket, sessionSocket } from './session-socket.js'
import { openSocket, type SocketPlace } from './sockets.js'

/**
 * SQL without psql, which installations that are fetched for a run do not have. Only for servers that pgbk has started itself,
 * over their socket; the servers that are backed up are asked by psql, with libpq's ways to connect.
 */
export interface SqlTarget extends SocketPlace {
  /** Both as the server has them (raw-text.ts). */
  user: string
  database: string
  /** Of PostgreSQL: not every major has all settings that are pinned. */
  major: number
  /** Cuts the session off when it is aborted: what the data starts can stop a server in the middle of an answer. */
  signal: AbortSignal
}

/** A session of pgbk's own: it means what it says, whatever the data sets, defines or triggers (session-pins.ts). */
export interface SqlClient {
  /** Runs one statement and returns its rows; $1 and so on are `parameters`. @throws {PgbkError} `failed`. */
  run(statement: Sql, parameters?: string[]): Promise<Record<string, unknown>[]>
  end(): Promise<void>
}

/** A session for SQL that the user has written, with the settings that the database and the role have. */
export interface UsersSqlClient {
  /** Runs statements, without parameters, and returns the rows of the last one. @throws {PgbkError} `failed`. */
  run(statements: string): Promise<Record<string, unknown>[]>
  end(): Promise<void>
}

/**
 * Opens a connection; undefined while the server does not take any yet.
 * @throws {PgbkError} `failed` for any other reason, one being a socket that is another user's; the signal's reason when aborted.
 */
export async function connectSql(target: SqlTarget): Promise<SqlClient | undefined> {
  const session = await open(target, copyOptions(target.major))
  if (!session) return undefined
  const run = ({ text }: Sql, parameters: string[] = []) =>
    session.answer((all) => all.unsafe(text, parameters))
  return {
    end: session.end,
    run: async (statement, parameters) => {
      try {
        return await run(statement, parameters)
      } catch (error) {
        throw wordsOf(error)?.sqlstate === lockNotAvailable
          ? sessionLockedOut(await holders(run), error)
          : error
      }
    },
  }
}

/** Who may hold a lock for ever. A transaction that has waited for one is over. */
async function holders(run: SqlClient['run']): Promise<string[]> {
  try {
    await run(sql`ROLLBACK`)
    return await preparedTransactions(run)
  } catch {
    return []
  }
}

/** The same for SQL of the user's own. Triggers at login and all that the data brings along takes part. */
export async function connectUsersSql(target: Omit<SqlTarget, 'major'>): Promise<UsersSqlClient | undefined> {
  const session = await open(target, usersOptions)
  return (
    session && {
      run: (statements) => session.answer((all) => all.unsafe(statements).simple()),
      end: session.end,
    }
  )
}

interface Session {
  /** @throws {PgbkError} `failed`; the signal's reason when aborted. */
  answer(ask: (session: postgres.Sql) => PromiseLike<unknown>): Promise<Record<string, unknown>[]>
  end(): Promise<void>
}

async function open(target: Omit<SqlTarget, 'major'>, options: string): Promise<Session | undefined> {
  const { signal } = target
  signal.throwIfAborted()
  const door = openSocket(target)
  if (door === undefined) return undefined
  try {
    const socket = await sessionSocket(`${door.host}/.s.PGSQL.${target.port}`, target)
    return await begun(socket, target, options)
  } catch (error) {
    signal.throwIfAborted()
    if (isNotReady(error)) return undefined
    throw sessionFailed(error)
  } finally {
    door.close()
  }
}

/** The session on a socket, which ends with it. @throws the package's errors. */
async function begun(
  socket: SessionSocket,
  { port, user, database, signal }: Omit<SqlTarget, 'major'>,
  options: string,
): Promise<Session> {
  const { default: connect } = await import('postgres')
  let isClosed = false
  const session = connect({
    ...{ socket: socket.take, host: 'localhost', port, user, database, password: '', ssl: false },
    max: 1,
    connect_timeout: mostWaitS,
    idle_timeout: 0,
    onnotice: () => {},
    onclose: () => {
      isClosed = true
    },
    fetch_types: false,
    connection: { application_name: 'pgbk', options },
  })
  signal.addEventListener('abort', socket.close)
  const end = async (timeout: number) => {
    await session.end({ timeout })
    signal.removeEventListener('abort', socket.close)
    socket.close()
  }
  try {
    await session.unsafe(sql`SELECT 1`.text)
  } catch (error) {
    await end(0)
    throw error
  }
  return {
    answer: (ask) => answerOf(() => (isClosed ? Promise.reject(sessionCutOff()) : ask(session)), signal),
    end: () => end(1),
  }
}

/** The databases through which a server can be asked that replays nothing, best first: no user's own, where that can be. */
export function databasesAtRest(names: string[]): string[] {
  return [...new Set(['postgres', 'template1', ...names])]
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
    if (others.length === 0 || target.signal.aborted || isSilent(error)) throw error
    return connectToAny(target, others)
  }
}

/** The rows of the last statement. */
async function answerOf(
  ask: () => PromiseLike<unknown>,
  signal: AbortSignal,
): Promise<Record<string, unknown>[]> {
  try {
    const results = await ask()
    if (!Array.isArray(results)) throw refuseCopy(results as Duplex)
    const last: unknown = Array.isArray(results.at(-1)) ? results.at(-1) : results
    return [...(last as Record<string, unknown>[])]
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof PgbkError) throw error
    throw sessionFailed(error)
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
