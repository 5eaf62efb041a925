import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { withoutSecrets } from '../postgres/connection/conninfo.js'
import { pinned } from '../postgres/connection/pin-connection.js'
import type { Psql } from '../postgres/connection/psql.js'
import { clientsFor } from '../postgres/programs/find.js'
import { readConfigFiles } from '../postgres/server/config-files.js'
import {
  type Client,
  type ClientSettings,
  type ConnectedServer,
  findClient,
  serverLine,
} from '../postgres/server/connect-to-server.js'
import { findObstacles, type Obstacle, type Topic } from '../postgres/server/preflight.js'
import { majorVersion, readServerFacts, type ServerFacts } from '../postgres/server/server-facts.js'
import { presentTime, readStandbyState, standbyWarning } from '../postgres/server/standby-state.js'
import { identifier } from '../postgres/sql/identifier.js'
import { relativeInside } from '../system/paths/inside.js'
import { formatTimes } from '../text/format.js'
import { type Check, failed, ok, skipped, warning } from './check.js'
import { checkDataDirectory } from './check-data-directory.js'
import { checkServerPrograms } from './check-programs.js'

interface CheckedConnection {
  checks: Check[]
  /** Undefined when it cannot be reached, or not be copied with the programs that are here. */
  server: ConnectedServer | undefined
}

const answerMs = 60_000

/** Connects as create would, and asks for everything that create needs. */
export async function checkConnection(
  flags: ConnectionFlags,
  settings: ClientSettings,
  context: Context,
): Promise<CheckedConnection> {
  let client: Client
  let facts: ServerFacts
  try {
    client = await findClient(flags, settings, 'pgbk_doctor', context)
    client.psql.timeoutMs = answerMs
    facts = await readServerFacts(client.psql)
  } catch (error) {
    context.signal.throwIfAborted()
    return { server: undefined, checks: [failed('connection', error), skipped('server', 'not asked')] }
  }
  const psql = { ...client.psql, connection: pinned(client.psql.connection, facts) }
  const reached = ok('connection', `${serverLine(facts)}, as role ${facts.role}`)
  const obstacles = await findObstacles(psql, facts)
  const checks = [reached, ...topicChecks(facts, obstacles)]
  if (facts.in_recovery) checks.push(await checkStandby(psql))
  try {
    const clients = clientsFor(majorVersion(facts), client.installations)
    const server = { ...client, psql, facts, clients }
    checks.push(ok('client version', `pg_basebackup ${clients.version} copies PostgreSQL ${facts.version}`))
    checks.push(checkServerPrograms(majorVersion(facts), client.installations))
    checks.push(await checkConfigFiles(server), await checkDataDirectory(facts, context))
    return { server, checks }
  } catch (error) {
    context.signal.throwIfAborted()
    return { server: undefined, checks: [...checks, failed('client version', error)] }
  }
}

/** A line for everything that a server must have; what stands in the way of a topic takes the place of its line. */
function topicChecks(facts: ServerFacts, obstacles: Obstacle[]): Check[] {
  const service = obstacles.find(({ topic }) => topic === 'service')
  if (service) return [refused(service)]
  const replicationUnknown = obstacles.length > 0 && !obstacles.some(({ topic }) => topic === 'replication')
  const fine: [Topic, string][] = [
    ['version', `PostgreSQL ${facts.version}`],
    ['role', `${facts.role} has the REPLICATION right`],
    ['replication', replicationUnknown ? '' : `the server accepts replication connections of ${facts.role}`],
    ['wal_level', facts.wal_level],
    ['WAL senders', `${facts.max_wal_senders - facts.wal_senders} of ${facts.max_wal_senders} are free`],
    [
      'replication slots',
      `${facts.max_replication_slots - facts.replication_slots} of ${facts.max_replication_slots} are free`,
    ],
    ['tablespaces', String(facts.tablespaces.length)],
    ['databases', String(facts.databases.length)],
  ]
  return fine.map(([topic, text]) => {
    const obstacle = obstacles.find((one) => one.topic === topic)
    if (obstacle) return refused(obstacle)
    return text === '' ? skipped(topic, 'not tried until the rest is fixed') : ok(topic, text)
  })
}

/** How old a backup of it would be. */
async function checkStandby(psql: Psql): Promise<Check> {
  const state = await readStandbyState(psql)
  if (!state) return ok('standby', 'it has become a primary')
  const behind = standbyWarning(state)
  if (behind !== undefined) return warning('standby', behind)
  return ok('standby', `its data are as of ${formatTimes(presentTime(state))}`)
}

function refused({ topic, code, message, hint }: Obstacle): Check {
  return failed(topic, new PgbkError(code, message, { hint }))
}

/** Without them a backup has the settings that pg_settings shows, and none of pg_hba.conf where that lies elsewhere. */
async function checkConfigFiles({ psql, facts }: ConnectedServer): Promise<Check> {
  const { configuration, closed } = await readConfigFiles(psql, facts, undefined)
  // What lies in the data directory comes with it, and what is not there can be read by nobody.
  const isElsewhere = (path: string) => relativeInside(facts.data_directory ?? '', path) === undefined
  if (configuration && !closed.some(isElsewhere))
    return ok('configuration files', `${facts.role} can read those of the server`)
  const role = identifier(facts.role)
  const database = psql.connection.parameters.dbname ?? psql.connection.env.PGDATABASE ?? 'postgres'
  return warning(
    'configuration files',
    `${facts.role} may not read those of the server: they will not be in the backup`,
    [
      `As a superuser, in the database ${database}:`,
      `  GRANT pg_monitor, pg_read_server_files TO ${role};`,
      `  GRANT EXECUTE ON FUNCTION pg_read_file(text) TO ${role};`,
      `  GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO ${role};`,
    ].join('\n'),
  )
}

/** A password in a URI or conninfo of the command line. Nothing is said where there is none. */
export function checkSecrets({ dbname }: { dbname?: string | undefined }): Check[] {
  if (dbname === undefined || withoutSecrets(dbname) === dbname) return []
  return [
    warning(
      'password',
      'is an argument: everybody on this machine can see it in ps at the start of every call, and it stays in the history of the shell',
      'Put it into ~/.pgpass of the user who makes the backups (mode 0600), a file that PGPASSFILE names, or a service file (service=NAME).',
    ),
  ]
}
