import type { Context } from '../../context.js'
import { formatBytes } from '../../text/format.js'
import { type ConnectionFlags, connectionFrom } from '../connection/connection.js'
import { pinned } from '../connection/pin-connection.js'
import type { Psql } from '../connection/psql.js'
import { clientsFor, findInstallations, type Installation, newestPsql } from '../programs/find.js'
import { checkHost } from './preflight.js'
import { majorVersion, readServerFacts, type ServerFacts } from './server-facts.js'

/** The programs that are installed here, and a psql that connects as it was asked for. */
export interface Client {
  psql: Psql
  /** All that are installed here, for the programs that must be of the server's own major. */
  installations: Installation[]
}

/** A server that answers, and the programs to work with it. */
export interface ConnectedServer extends Client {
  facts: ServerFacts
  /** The one whose pg_basebackup to use. */
  clients: Installation
}

/** What the configuration says about connections and programs. */
export interface ClientSettings {
  connection?: string | undefined
  bin_dir?: string | undefined
}

/**
 * Finds the programs; no connection is made yet.
 * @throws {PgbkError} `refused` for a host that offers no base backups, `programs-missing`, `usage`, `config`.
 */
export async function findClient(
  flags: ConnectionFlags,
  settings: ClientSettings,
  applicationName: string,
  context: Context,
): Promise<Client> {
  const connection = connectionFrom(flags, settings.connection, context.env, applicationName)
  checkHost(connection.parameters.host ?? context.env.PGHOST)
  const installations = await findInstallations(settings.bin_dir, context)
  const { signal } = context
  const psql = { program: newestPsql(installations), connection, signal, systemUser: context.user().name }
  return { installations, psql }
}

/**
 * Finds the programs, connects and asks the server who it is.
 * @throws {PgbkError} `unreachable`, `refused`, `programs-missing` (no programs, or too old ones), `usage`, `config`.
 */
export async function connectToServer(
  flags: ConnectionFlags,
  settings: ClientSettings,
  applicationName: string,
  context: Context,
): Promise<ConnectedServer> {
  const { psql, installations } = await findClient(flags, settings, applicationName, context)
  const facts = await readServerFacts(psql)
  return {
    facts,
    psql: { ...psql, connection: pinned(psql.connection, facts) },
    installations,
    clients: clientsFor(majorVersion(facts), installations),
  }
}

/** The first thing that a person wants to know: which server is that? */
export function serverLine(facts: ServerFacts): string {
  const name =
    facts.cluster_name === ''
      ? `cluster ${facts.system_identifier}`
      : `cluster ${facts.cluster_name} (${facts.system_identifier})`
  const databases = facts.databases.filter(({ allows_connections }) => allows_connections).length
  const place = facts.host.startsWith('/')
    ? `socket ${facts.host}, port ${facts.port}`
    : `${facts.host}:${facts.port}`
  const role = facts.in_recovery ? ', a standby' : ''
  return `PostgreSQL ${facts.version} at ${place}, ${name}${role}, ${formatBytes(knownSize(facts))} in ${databases} databases`
}

/** Bytes of the databases, as far as the role may know them. */
export function knownSize({ databases }: ServerFacts): number {
  return databases.reduce((sum, { size_bytes }) => sum + (size_bytes ?? 0), 0)
}
