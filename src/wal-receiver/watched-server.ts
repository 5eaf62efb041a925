import { checkCluster } from '../catalog/check-cluster.js'
import type { RootLayout } from '../catalog/layout.js'
import { PgbkError } from '../errors.js'
import { pinned } from '../postgres/connection/pin-connection.js'
import type { Psql } from '../postgres/connection/psql.js'
import { clientsFor, type Installation } from '../postgres/programs/find.js'
import type { Client } from '../postgres/server/connect-to-server.js'
import { askWalServer, ensureSlot, type WalServerFacts } from '../postgres/server/wal-server.js'
import { identifier } from '../postgres/sql/identifier.js'
import { parseLsn } from '../wal-segments/lsn.js'
import { newestOnly } from './find-backup.js'

/** A server that answers, with a slot that keeps WAL. */
export interface WatchedServer {
  facts: WalServerFacts
  psql: Psql
  clients: Installation
  /** What had to be done to have the slot. */
  slot: 'created' | 'renewed' | undefined
}

/** A server that does not answer must not hold up the rest for ever. */
const askTimeoutMs = 20_000

/**
 * Connects, by whichever of the hosts answers, makes sure that it is the right cluster and that the slot is there.
 * @throws {PgbkError} `unreachable`, `refused`, `wrong-cluster`, `programs-missing`.
 */
export async function watchServer(root: RootLayout, client: Client, slot: string): Promise<WatchedServer> {
  const asking = { ...client.psql, timeoutMs: askTimeoutMs }
  const facts = await askWalServer(asking, slot)
  checkCluster(newestOnly(root), 'this server', facts)
  if (!facts.role_can_replicate) {
    throw new PgbkError('refused', `role ${facts.role} has no REPLICATION right`, {
      hint: `As a superuser:  ALTER ROLE ${identifier(facts.role)} REPLICATION;`,
    })
  }
  const psql = { ...asking, connection: pinned(client.psql.connection, facts) }
  const clients = clientsFor(Math.floor(facts.version_num / 10_000), client.installations)
  return { facts, psql, clients, slot: await ensureSlot(psql, facts, slot) }
}

/** Whether everything before a position has been received and is on disk here. */
export function hasReceived({ slot }: WalServerFacts, lsn: string): boolean {
  if (!slot?.active || slot.restart_lsn === null) return false
  return parseLsn(slot.restart_lsn) >= parseLsn(lsn)
}
