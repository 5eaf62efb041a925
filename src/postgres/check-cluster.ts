import type { Catalog } from '../backup/catalog.js'
import { PgbkError } from '../errors.js'
import type { ServerFacts } from './server-facts.js'

/**
 * A root belongs to one cluster, that of its newest backup.
 * @throws {PgbkError} `wrong-cluster` for another one, unless that is said to be meant.
 */
export function checkCluster(
  { root, backups }: Pick<Catalog, 'root' | 'backups'>,
  facts: Pick<ServerFacts, 'system_identifier' | 'version' | 'host' | 'port'>,
  newCluster: boolean,
): void {
  const newest = backups[0]?.record
  if (!newest || newCluster || newest.server.system_identifier === facts.system_identifier) return
  const { server } = newest
  throw new PgbkError(
    'wrong-cluster',
    `${root} holds backups of another cluster: system identifier ${server.system_identifier} (PostgreSQL ${server.version}, ${server.host}:${server.port}), this server has ${facts.system_identifier} (PostgreSQL ${facts.version}, ${facts.host}:${facts.port})`,
    {
      hint: 'Keep this one in a directory of its own with -C DIR. If it is the successor of the other (after pg_upgrade, or a new initdb), say so with --new-cluster.',
    },
  )
}
