import type { Catalog } from '../backup/catalog.js'
import { PgbkError } from '../errors.js'
import type { ServerFacts } from '../postgres/server-facts.js'

/** @throws {PgbkError} `usage` for a rate that pg_basebackup would not take (32 kB to 1 GB a second). */
export function checkRate(rate: string | undefined): void {
  if (rate === undefined) return
  const [, digits, unit] = /^(\d+)([kM]?)$/.exec(rate) ?? []
  const kilobytes = Number(digits) * (unit === 'M' ? 1024 : 1)
  if (kilobytes >= 32 && kilobytes <= 1024 * 1024) return
  throw new PgbkError('usage', `${JSON.stringify(rate)} is no transfer rate for --max-rate`, {
    hint: 'Kilobytes per second, or with a suffix: 800k, 50M. From 32k to 1024M.',
  })
}

/**
 * A root belongs to one cluster, that of its newest backup.
 * @throws {PgbkError} `wrong-cluster` for another one, unless that is said to be meant.
 */
export function checkCluster({ root, backups }: Catalog, facts: ServerFacts, newCluster: boolean): void {
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
