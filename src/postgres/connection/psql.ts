import { randomUUID } from 'node:crypto'
import { factsOf, PgbkError } from '../../errors.js'
import type { querySettings } from '../../snapshot/conf/conf.js'
import { type ProgramOptions, runProgram } from '../../system/program/run-program.js'
import { textOf } from '../../text/raw-text.js'
import { serverOptions } from '../sql/session-pins.js'
import { type Sql, sql } from '../sql/sql.js'
import { type Connection, connectionArgs } from './connection.js'
import { connectionHint, isWrongParameter, silenceHint } from './connection-hint.js'
import type { ConnectionParameters } from './conninfo.js'
import { placeCommands, positionIn, type ServerPlace } from './server-place.js'

/** psql of one installation, connecting in one way. */
export interface Psql {
  program: string
  /** Words of a command that psql is the last part of. */
  within?: string[]
  connection: Connection
  signal?: AbortSignal | undefined
  /** After so many ms a call is given up as `unreachable`. */
  timeoutMs?: number
  /** Whom the program runs as, for what is said about authentication. */
  systemUser?: string
}

export interface QueryOptions {
  /**
   * What the script takes as `:'name'`, which psql quotes, and never reads as a part of the script. They are arguments of a
   * program: no secrets.
   */
  values?: Readonly<Record<string, string>>
  /** Where the connection's own is not meant. */
  database?: string
}

/**
 * Runs a psql script and returns what it printed, unaligned and without headers. Names resolve in pg_catalog alone, so that
 * nothing which a database's owner has created there can be called by accident. Nothing is converted on the way: what is not UTF-8 on
 * the server is raw here (raw-text.ts), and may be in `values` and `database`.
 * @throws {PgbkError} `unreachable` when there is no connection, or no answer in time; `refused` when a statement fails, `failed`
 * for a value with a zero byte.
 */
export async function query(psql: Psql, script: Sql<true>, options: QueryOptions = {}): Promise<string> {
  return ask(psql, script, options, [])
}

/** What a server answered, and which one it was. */
export interface PlacedAnswer extends ServerPlace {
  answer: string
}

/** The same, with the place that psql has reached: one of several hosts, or the one that libpq chose by itself. */
export async function queryWithPlace(
  psql: Psql,
  script: Sql<true>,
  options: QueryOptions = {},
): Promise<PlacedAnswer> {
  const mark = randomUUID()
  const further = [`\\echo ${mark}`, ...placeCommands].map((command) => `--command=${command}`)
  const [answer = '', told = ''] = (await ask(psql, script, options, further)).split(`${mark}\n`)
  return { answer: answer.trimEnd(), ...positionIn(told) }
}

/**
 * The same where a condition holds, in one session.
 * @param condition a SELECT, without its semicolon, of one boolean named `holds`.
 * @returns undefined where it does not hold.
 */
export async function queryIf(
  psql: Psql,
  condition: Sql<true>,
  script: Sql<true>,
): Promise<string | undefined> {
  const text = `${condition.text} \\gset\n\\if :holds\n\\echo holds\n${script.text}\n\\endif\n`
  const answer = await ask(psql, { text }, {}, [])
  return answer.startsWith('holds\n') ? answer.slice('holds\n'.length) : undefined
}

/** The text of a script is checked where it is made (sql.ts), the rest here. */
async function ask(
  psql: Psql,
  script: Pick<Sql<true>, 'text'>,
  { values = {}, database }: QueryOptions,
  further: string[],
): Promise<string> {
  const assignments = Object.entries(values).map(([name, value]) => {
    // Those of psql itself have capitals, and change how it goes on.
    if (/^[a-z_]+$/.test(name) && !value.includes('\0')) return `--set=${name}=${value}`
    throw new PgbkError('failed', `psql takes no value ${JSON.stringify(value)} of the name ${name}`)
  })
  const { connection } = psql
  const own = connection.parameters.options
  const args = (pins: ConnectionParameters) => [
    ...quietly,
    ...assignments,
    '--file=-',
    ...further,
    ...connectionArgs(connection, { ...pins, ...(database === undefined ? {} : { dbname: database }) }),
  ]
  const input = prelude.text + script.text
  try {
    const pins = own === undefined ? {} : { options: serverOptions(own) }
    return await run(psql, args(pins), { input, variables: { PGOPTIONS: serverOptions() } })
  } catch (error) {
    if (!isPoolersRefusal(error)) throw error
    return run(psql, args({}), { input })
  }
}

/** Poolers may take no options at all, or none that they do not know; the prelude says the most important ones again. */
function isPoolersRefusal(error: unknown): boolean {
  return /startup parameter|command-line options/i.test(factsOf(error).said ?? '')
}

/** Timeouts that only some majors have are set where they are there; the statement prints nothing. */
const prelude = sql`SET statement_timeout = 0; SET lock_timeout = 0; SET search_path = pg_catalog, pg_temp;
SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
SELECT FROM pg_catalog.pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout')
  AND pg_catalog.set_config(name, '0', false) IS NULL;
`

/** A command of the replication protocol. What it shows is one of the settings that this program names. */
export type ReplicationCommand = 'IDENTIFY_SYSTEM' | `SHOW ${(typeof querySettings)[number]}`

/**
 * Sends commands of the replication protocol (`IDENTIFY_SYSTEM`) and returns a line for each. The password is looked up as
 * pg_basebackup does, for the database `replication` (src/bin/pg_basebackup/streamutil.c). Errors as with `query`.
 */
export async function replicationCommands(psql: Psql, commands: ReplicationCommand[]): Promise<string[]> {
  const parameters = { replication: 'true', dbname: 'replication' }
  const args = [
    ...quietly,
    ...commands.map((command) => `--command=${command}`),
    ...connectionArgs(psql.connection, parameters),
  ]
  return (await run(psql, args)).split('\n')
}

const quietly = ['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--set=ON_ERROR_STOP=1']

async function run(
  psql: Psql,
  args: string[],
  further: Pick<ProgramOptions, 'input' | 'variables'> = {},
): Promise<string> {
  const [file = '', ...words] = [...(psql.within ?? []), psql.program, ...args]
  const result = await runProgram(file, words, {
    env: psql.connection.env,
    bytewise: true,
    ...further,
    ...(psql.signal ? { signal: psql.signal } : {}),
    ...(psql.timeoutMs ? { timeoutMs: psql.timeoutMs } : {}),
  })
  if (result.status === 0) return fromLatin1(result.stdout)
  // A Ctrl-C that came before psql had left pgbk's process group, while pgbk cleans up.
  if (result.endedBy === 'SIGINT' && psql.signal === undefined) return run(psql, args, further)
  if (result.timedOut)
    throw new PgbkError(
      'unreachable',
      `the server does not answer within ${(psql.timeoutMs ?? 0) / 1000} s`,
      {
        hint: silenceHint,
      },
    )
  const said = fromLatin1(result.stderr)
    .replace(/^psql:(<stdin>:\d+:)? (error: )?/gm, '')
    .trim()
  // psql's manual page, "Exit Status": 2 if the connection to the server went bad.
  if (result.status === 2 && isWrongParameter(said))
    throw new PgbkError('usage', `the connection's parameters are wrong: ${said}`, {
      facts: { said },
      hint: 'They come from -h, -p, -U and -d, from the configuration, a service file, or PGHOST, PGPORT ... in the environment.',
    })
  if (result.status === 2)
    throw new PgbkError('unreachable', `cannot connect to the server: ${said}`, {
      facts: { said },
      hint: connectionHint(said, { ...psql.connection, systemUser: psql.systemUser }),
    })
  throw new PgbkError('refused', `the server refused a query: ${said || `psql ended by ${result.endedBy}`}`, {
    facts: { said },
  })
}

function fromLatin1(bytes: string): string {
  return textOf(Buffer.from(bytes, 'latin1'))
}
