import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { type Connection, type ConnectionFlags, connectionFrom } from '../postgres/connection.js'
import { clientsFor, findInstallations, type Installation, newestPsql } from '../postgres/find.js'
import { checkHost } from '../postgres/preflight.js'
import type { Psql } from '../postgres/psql.js'
import { majorVersion, readServerFacts, type ServerFacts } from '../postgres/server-facts.js'

/** A server that answers, and the programs to work with it. */
export interface ReachedServer {
  facts: ServerFacts
  psql: Psql
  /** All that are installed here, for the programs that must be of the server's own major. */
  installations: Installation[]
  /** The one whose pg_basebackup to use. */
  clients: Installation
}

/**
 * Finds the programs, connects and asks the server who it is.
 * @throws {PgbkError} `unreachable`, `refused`, `programs-missing` (no programs, or too old ones), `usage`, `config`.
 */
export async function reachServer(
  flags: ConnectionFlags,
  settings: Settings,
  applicationName: string,
  context: Context,
): Promise<ReachedServer> {
  const connection = connectionFrom(flags, settings.connection, context.env, applicationName)
  checkHost(connection.parameters.host ?? context.env.PGHOST)
  const installations = await findInstallations(settings.bin_dir, context.env)
  const psql: Psql = { program: newestPsql(installations), connection, signal: context.signal }
  const facts = await readServerFacts(psql)
  return {
    facts,
    psql: { ...psql, connection: pinned(connection, facts) },
    installations,
    clients: clientsFor(majorVersion(facts), installations),
  }
}

/** With several hosts in a connection string, every later connection must go to the one that answered. */
function pinned(connection: Connection, { host, port }: ServerFacts): Connection {
  const { hostaddr = connection.env.PGHOSTADDR ?? '', ...parameters } = connection.parameters
  const address = hostaddr.includes(',') ? '' : hostaddr
  return {
    ...connection,
    parameters: { ...parameters, host, port: String(port), ...(hostaddr ? { hostaddr: address } : {}) },
  }
}
