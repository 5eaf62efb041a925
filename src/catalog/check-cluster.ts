import { PgbkError } from '../errors.js'
import { recordOf, type StoredBackup, storedBackup } from './backup.js'
import type { Catalog } from './catalog.js'

/** What tells a cluster, and helps a person to know it. */
interface ClusterFacts {
  system_identifier: string
  version: string
  host: string
  port: number
}

/**
 * A root belongs to one cluster, that of the newest backup whose record has no faults.
 * @param what names where the facts are from: `this server`.
 * @throws {PgbkError} `wrong-cluster` for another one; `damaged` when all records have faults, so that
 * nobody knows.
 */
export function checkCluster(
  { root, backups, rejected }: Catalog<StoredBackup>,
  what: string,
  facts: ClusterFacts,
): void {
  const closed = rejected.flatMap((one) => (one.closed ? [{ ...one, ...one.closed }] : []))
  const readable = closed.flatMap(({ record }) => (record ? [storedBackup(record, 'used')] : []))
  const known = [...backups, ...readable]
  const newest = known.find((backup) => clusterOf(backup) !== undefined) ?? known[0]
  const [unknown] = newest ? [] : closed
  if (unknown)
    throw new PgbkError(
      'failed',
      `which cluster the backups in ${root} belong to is not known: ${unknown.name}: ${unknown.reason}`,
    )
  if (!newest || clusterOf(newest) === facts.system_identifier) return
  throw new PgbkError(
    'wrong-cluster',
    `${root} holds backups of another cluster: system identifier ${describeServer(newest)}, ${what} has ${facts.system_identifier} (PostgreSQL ${facts.version}, ${facts.host}:${facts.port})`,
    {
      hint: 'Keep this one in a directory of its own with -C DIR. If it is the successor of the other (after pg_upgrade, or a new initdb), say so once with --new-cluster, of pgbk create or download.',
    },
  )
}

/** The system identifier of a backup's cluster; undefined where its record has faults. */
export function clusterOf(backup: StoredBackup): string | undefined {
  return recordFault(backup) === undefined ? claimedCluster(backup) : undefined
}

/** @throws {PgbkError} `damaged`. */
function describeServer(backup: StoredBackup): string {
  const { summary } = backup
  if (summary.encrypted || backup.isPart)
    return `${summary.server.system_identifier} (PostgreSQL ${summary.server.version})`
  const { server } = recordOf(backup)
  return `${server.system_identifier} (PostgreSQL ${server.version}, ${server.host}:${server.port})`
}

/** The same, by the record's own word: the rest of it is not checked for that, and it may be wrong. */
export function claimedCluster({ summary }: Pick<StoredBackup, 'summary'>): string | undefined {
  return summary.server.system_identifier
}

/**
 * Why a record that its summary lets into the catalogue cannot be used. Whoever chooses a backup by itself passes such a one over. That of
 * an encrypted one can be, as far as anybody can tell without a key; so can one of which only a part was kept.
 */
export function recordFault(backup: Pick<StoredBackup, 'raw' | 'form' | 'isPart'>): string | undefined {
  try {
    return backup.form === 'encrypted' || backup.isPart ? undefined : void recordOf(backup)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return error.message
    throw error
  }
}
