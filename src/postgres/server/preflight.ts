import { type ErrorCode, PgbkError } from '../../errors.js'
import { allOf } from '../../system/files/in-parallel.js'
import { poolersHint } from '../connection/connection-hint.js'
import { hbaHint, hbaLine } from '../connection/hba-line.js'
import { type Psql, replicationCommands } from '../connection/psql.js'
import { identifier } from '../sql/identifier.js'
import { dataObstacles } from './data-obstacles.js'
import { isOutside, majorVersion, type ServerFacts } from './server-facts.js'

/** What a server must have for a base backup. */
export type Topic =
  | 'service'
  | 'version'
  | 'role'
  | 'wal_level'
  | 'WAL senders'
  | 'replication slots'
  | 'tablespaces'
  | 'databases'
  | 'replication'

/** One thing that is in the way of a backup, and what takes it away. */
export interface Obstacle {
  topic: Topic
  code: ErrorCode
  message: string
  hint: string
}

const oldestMajor = 13

/** Hosts of services that offer no base backups; recognised before a connection is tried. */
const managedHosts: [RegExp, string][] = [
  [/\.rds(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?$/i, 'Amazon RDS'],
  [/\.postgres(ql)?\.database\.azure\.com$/i, 'Azure Database for PostgreSQL'],
  [/^\/cloudsql\//, 'Google Cloud SQL'],
  [/\.(supabase\.(co|com)|neon\.tech)$/i, 'this service'],
]

/** @throws {PgbkError} `refused` when the host belongs to a service that offers no base backups. */
export function checkHost(host: string | undefined): void {
  const service = managedHosts.find(([pattern]) => host !== undefined && pattern.test(host))?.[1]
  if (service !== undefined) throw refusal([managedService(service)])
}

/**
 * Everything that the server must have for a base backup, all obstacles in one error.
 * @throws {PgbkError} `refused`, with the statement, line or command that fixes each.
 */
export async function checkServer(psql: Psql, facts: ServerFacts): Promise<void> {
  const obstacles = await findObstacles(psql, facts)
  if (obstacles.length > 0) throw refusal(obstacles)
}

/** The same, as a list. */
export async function findObstacles(psql: Psql, facts: ServerFacts): Promise<Obstacle[]> {
  const obstacles = obstaclesIn(facts)
  if (isManaged(facts)) return obstacles
  const [ofData, closed] = await allOf([dataObstacles(psql, facts), closedToReplication(psql)])
  obstacles.push(...ofData)
  // What else is in the way makes the server refuse as well; only pg_hba.conf is asked before all that.
  if (closed && (obstacles.length === 0 || isOfRules(closed)))
    obstacles.push(noReplicationConnection(facts, closed, psql.systemUser))
  return obstacles
}

/** Why no replication connection can be opened; undefined when one can. */
async function closedToReplication(psql: Psql): Promise<PgbkError | undefined> {
  try {
    await replicationCommands(psql, ['IDENTIFY_SYSTEM'])
    return undefined
  } catch (error) {
    psql.signal?.throwIfAborted()
    if (error instanceof PgbkError && ['unreachable', 'refused'].includes(error.code)) return error
    throw error
  }
}

/** What the facts alone tell. */
export function obstaclesIn(facts: ServerFacts): Obstacle[] {
  if (isManaged(facts)) return [managedService(facts.managed_by)]
  const role = identifier(facts.role)
  const found: (Obstacle | false)[] = [
    majorVersion(facts) < oldestMajor && {
      topic: 'version',
      code: 'refused',
      message: `the server is PostgreSQL ${facts.version}, but pgbk works with ${oldestMajor} and newer`,
      hint: 'Upgrade the server; until then use pg_basebackup by hand.',
    },
    !facts.role_can_replicate && {
      topic: 'role',
      code: 'refused',
      message: `role ${facts.role} has no REPLICATION right`,
      hint: `As a superuser:  ALTER ROLE ${role} REPLICATION;`,
    },
    facts.wal_level === 'minimal' && {
      topic: 'wal_level',
      code: 'refused',
      message: 'wal_level is minimal, which allows no base backups',
      hint: 'As a superuser, then restart the server:\n  ALTER SYSTEM SET wal_level = replica;\n  ALTER SYSTEM SET max_wal_senders = 10;',
    },
    facts.wal_level !== 'minimal' && tooFewSenders(facts),
    facts.replication_slots >= facts.max_replication_slots && {
      topic: 'replication slots',
      code: 'refused',
      message: `no replication slot is free (${facts.replication_slots} of max_replication_slots = ${facts.max_replication_slots} in use)`,
      hint: `Drop one that nobody needs:\n  SELECT * FROM pg_replication_slots;\nOr, as a superuser, raise it, then restart the server:\n  ALTER SYSTEM SET max_replication_slots = ${facts.max_replication_slots + 5};`,
    },
    relativeTablespaces(facts),
  ]
  return found.filter((obstacle) => obstacle !== false)
}

/** A dump of such a service, restored elsewhere, brings its roles along; but nobody is a superuser there. */
function isManaged(facts: ServerFacts): facts is ServerFacts & { managed_by: string } {
  return facts.managed_by !== null && !facts.role_is_superuser
}

function tooFewSenders({ max_wal_senders: most, wal_senders: used }: ServerFacts): Obstacle | false {
  if (most - used >= 2) return false
  return {
    topic: 'WAL senders',
    code: 'refused',
    message: `a backup needs two free WAL senders, but the server has ${Math.max(0, most - used)} (max_wal_senders = ${most}, ${used} in use)`,
    hint: `As a superuser, then restart the server:\n  ALTER SYSTEM SET max_wal_senders = ${used + 5};`,
  }
}

function relativeTablespaces({ tablespaces }: ServerFacts): Obstacle | false {
  const relative = tablespaces.filter(
    (tablespace) => isOutside(tablespace) && !tablespace.location.startsWith('/'),
  )
  if (relative.length === 0) return false
  return {
    topic: 'tablespaces',
    code: 'refused',
    message: `tablespace ${relative.map(({ name, location }) => `${name} (${location})`).join(', ')} has a relative location: this server runs inside a pgbk snapshot`,
    hint: 'Back up the server that the snapshot came from, or use pgbk restore to make a lasting server of it.',
  }
}

/** Whether it is pg_hba.conf that keeps the connection out. */
function isOfRules({ facts: { said = '' } }: PgbkError): boolean {
  return /pg_hba\.conf/.test(said)
}

/** For pg_hba.conf both lines, for the socket and for this client's address, that first which this connection has used. */
function noReplicationConnection(
  facts: ServerFacts,
  cause: PgbkError,
  systemUser: string | undefined,
): Obstacle {
  const rule = { databases: 'replication', role: facts.role, systemUser, major: majorVersion(facts) }
  const local = hbaLine({ ...rule, address: undefined })
  const host = hbaLine({ ...rule, address: facts.client_address ?? '127.0.0.1' })
  const { said } = cause.facts
  const message =
    cause.code === 'unreachable' && said !== undefined
      ? `the server accepts no replication connection: ${said}`
      : cause.message
  const rules = [
    hbaHint(facts.client_address === null ? [local, host] : [host, local]),
    `The database name \`all\` does not match replication. ${poolersHint}`,
  ]
  const hint = isOfRules(cause) ? rules.join('\n') : (cause.hint ?? poolersHint)
  return { topic: 'replication', code: 'refused', message, hint }
}

function managedService(service: string): Obstacle {
  return {
    topic: 'service',
    code: 'refused',
    message: `${service} offers no base backups: it lets nobody open a replication connection for pg_basebackup`,
    hint: "Use the service's own snapshots, or pg_dump.",
  }
}

function refusal(obstacles: Obstacle[]): PgbkError {
  const [first, ...more] = obstacles
  if (first && more.length === 0) return new PgbkError(first.code, first.message, { hint: first.hint })
  return new PgbkError('refused', `the server cannot be backed up yet, for ${obstacles.length} reasons`, {
    hint: obstacles.map(({ message, hint }) => `- ${message}\n  ${hint}`).join('\n'),
  })
}
