import { PgbkError } from '../errors.js'
import type { Backup, Catalog } from './catalog.js'

/** What tells a cluster, and helps a person to know it. */
export interface ClusterFacts {
  system_identifier: string
  version: string
  host: string
  port: number
}

/**
 * A root belongs to one cluster, that of its newest backup.
 * @param what names where the facts are from: `this server`.
 * @throws {PgbkError} `wrong-cluster` for another one, unless that is said to be meant.
 */
export function checkCluster(
  { root, backups }: Pick<Catalog, 'root' | 'backups'>,
  what: string,
  facts: ClusterFacts,
  newCluster: boolean,
): void {
  const newest = backups[0]?.record
  if (!newest || newCluster || newest.server.system_identifier === facts.system_identifier) return
  const { server } = newest
  throw new PgbkError(
    'wrong-cluster',
    `${root} holds backups of another cluster: system identifier ${server.system_identifier} (PostgreSQL ${server.version}, ${server.host}:${server.port}), ${what} has ${facts.system_identifier} (PostgreSQL ${facts.version}, ${facts.host}:${facts.port})`,
    {
      hint: 'Keep this one in a directory of its own with -C DIR. If it is the successor of the other (after pg_upgrade, or a new initdb), say so once with --new-cluster, of pgbk create or download.',
    },
  )
}

/** The system identifier of a backup's cluster; undefined where its record has faults. */
export function clusterOf(backup: Backup): string | undefined {
  try {
    return backup.record.server.system_identifier
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}
