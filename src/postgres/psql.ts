import { PgbkError } from '../errors.js'
import { runProgram } from '../program/run-program.js'
import { type Connection, connectionArgs } from './connection.js'
import { connectionHint, isWrongParameter, silenceHint } from './connection-hint.js'
import type { ConnectionParameters } from './conninfo.js'

/** psql of one installation, connecting in one way. */
export interface Psql {
  program: string
  connection: Connection
  signal?: AbortSignal | undefined
  /** After so many ms a call is given up as `unreachable`. */
  timeoutMs?: number
  /** Whom the program runs as, for what is said about authentication. */
  systemUser?: string
}

/**
 * Runs a psql script and returns what it printed, unaligned and without headers. Names resolve in pg_catalog alone,
 * so that nothing which a database's owner has created there can be called by accident.
 * @throws {PgbkError} `unreachable` when there is no connection, or no answer in time; `refused` when a statement fails.
 */
export async function query(
  psql: Psql,
  script: string,
  parameters: ConnectionParameters = {},
): Promise<string> {
  const prelude = 'SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0;\n'
  const args = [...quietly, '--file=-', ...connectionArgs(psql.connection, parameters)]
  return run(psql, args, prelude + script)
}

/**
 * Sends commands of the replication protocol (`IDENTIFY_SYSTEM`) and returns a line for each. The password is looked up as
 * pg_basebackup does, for the database `replication` (src/bin/pg_basebackup/streamutil.c). Errors as with `query`.
 */
export async function replicationCommands(psql: Psql, commands: string[]): Promise<string[]> {
  const parameters = { replication: 'true', dbname: 'replication' }
  const args = [
    ...quietly,
    ...commands.map((command) => `--command=${command}`),
    ...connectionArgs(psql.connection, parameters),
  ]
  return (await run(psql, args)).split('\n')
}

const quietly = ['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--set=ON_ERROR_STOP=1']

async function run(psql: Psql, args: string[], input?: string): Promise<string> {
  const { env } = psql.connection
  const result = await runProgram(psql.program, args, {
    env,
    ...(input === undefined ? {} : { input }),
    ...(psql.signal ? { signal: psql.signal } : {}),
    ...(psql.timeoutMs ? { timeoutMs: psql.timeoutMs } : {}),
  })
  if (result.status === 0) return result.stdout
  // A Ctrl-C that came before psql had left pgbk's process group, while pgbk cleans up.
  if (result.endedBy === 'SIGINT' && psql.signal === undefined) return run(psql, args, input)
  if (result.timedOut)
    throw new PgbkError(
      'unreachable',
      `the server does not answer within ${(psql.timeoutMs ?? 0) / 1000} s`,
      {
        hint: silenceHint,
      },
    )
  const message = result.stderr.replace(/^psql:(<stdin>:\d+:)? (error: )?/gm, '').trim()
  // psql's manual page, "Exit Status": 2 if the connection to the server went bad.
  if (result.status === 2 && isWrongParameter(message))
    throw new PgbkError('usage', `the connection's parameters are wrong: ${message}`, {
      hint: 'They come from -h, -p, -U and -d, from the configuration, a service file, or PGHOST, PGPORT ... in the environment.',
    })
  if (result.status === 2)
    throw new PgbkError('unreachable', `cannot connect to the server: ${message}`, {
      hint: connectionHint(message, { ...psql.connection, systemUser: psql.systemUser }),
    })
  throw new PgbkError(
    'refused',
    `the server refused a query: ${message || `psql ended by ${result.endedBy}`}`,
  )
}
