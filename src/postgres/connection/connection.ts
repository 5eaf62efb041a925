import type { Environment } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { type ConnectionParameters, formatConninfo, isSecret, parseConnection } from './conninfo.js'

/** libpq's own options as given on the command line. */
export interface ConnectionFlags {
  dbname?: string | undefined
  host?: string | undefined
  port?: string | undefined
  username?: string | undefined
}

/** How psql and pg_basebackup are told to connect: arguments without a secret, secrets in the environment. */
export interface Connection {
  parameters: ConnectionParameters
  env: Environment
}

/**
 * Merges what the command line and the configuration say. Flags beat a connection string, that beats PG* variables.
 * Without any database's name, `postgres` is asked, as pg_dumpall does.
 * @throws {PgbkError} `usage` for a string that libpq would not take, or a secret that cannot be kept out of `ps`.
 */
export function connectionFrom(
  flags: ConnectionFlags,
  configured: string | undefined,
  env: Environment,
  applicationName: string,
): Connection {
  const base = flags.dbname !== undefined && isConnectionString(flags.dbname) ? flags.dbname : configured
  const { password, ...parameters } = base === undefined ? {} : parseConnection(base)
  const unsafe = Object.keys(parameters).find(isSecret)
  if (unsafe) {
    throw new PgbkError('usage', `${unsafe} in a connection string would show in the process list`, {
      hint: 'Put it into a service file (~/.pg_service.conf) and name that with service=NAME or PGSERVICE.',
    })
  }
  if (flags.host?.includes('://')) {
    throw new PgbkError('usage', 'the host of a connection cannot be a URI', {
      hint: 'Use -d for a URI, as with psql.',
    })
  }
  if (flags.dbname !== undefined && base !== flags.dbname) parameters.dbname = flags.dbname
  if (flags.host !== undefined) parameters.host = flags.host
  if (flags.port !== undefined) parameters.port = flags.port
  if (flags.username !== undefined) parameters.user = flags.username
  return {
    parameters: { ...parameters, application_name: applicationName },
    env: clientEnvironment(env, password),
  }
}

/** The arguments that psql and pg_basebackup both understand. */
export function connectionArgs(connection: Connection, extra: ConnectionParameters = {}): string[] {
  return ['--no-password', '--dbname', formatConninfo({ ...connection.parameters, ...extra })]
}

/** Without the variables that would change a session's settings, and so what pgbk believes to be the server's. */
function clientEnvironment(env: Environment, password: string | undefined): Environment {
  const {
    PGOPTIONS: _options,
    PGTZ: _zone,
    PGDATESTYLE: _style,
    PGGEQO: _geqo,
    PGAPPNAME: _name,
    ...kept
  } = env
  // libpq takes a service file's dbname before this one, and this one before the user's name.
  kept.PGDATABASE ??= 'postgres'
  kept.PGCONNECT_TIMEOUT ??= '15'
  // Names are bytes: no server converts them for us, or fails to.
  kept.PGCLIENTENCODING = 'SQL_ASCII'
  if (password !== undefined) kept.PGPASSWORD = password
  return kept
}

function isConnectionString(text: string): boolean {
  return text.includes('=') || /^postgres(ql)?:\/\//.test(text)
}
