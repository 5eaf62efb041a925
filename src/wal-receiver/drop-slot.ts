import { rmSync } from 'node:fs'
import { checkCluster } from '../catalog/check-cluster.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { pinned } from '../postgres/connection/pin-connection.js'
import { findClient } from '../postgres/server/connect-to-server.js'
import { askWalServer, dropSlot, type WalServerFacts } from '../postgres/server/wal-server.js'
import { formatBytes } from '../text/format.js'
import { readAliveReceiver, readReceiverState } from '../wal-archive/receiver-state.js'
import { newestOnly } from './find-backup.js'

export interface DropSlotOptions extends ConnectionFlags {
  /** Do not ask. */
  yes?: boolean
}

export interface DropSlotResult {
  slot: string
  server: WalServerFacts
  /** False when there was none. */
  dropped: boolean
}

/**
 * Removes the receiver's slot from the server, which then no longer keeps WAL for it; nothing of a receiver is missed from then on.
 */
export async function dropReceiverSlot(
  options: DropSlotOptions,
  { settings, context }: Task,
): Promise<DropSlotResult> {
  const { slot } = settings.wal
  const root = rootLayout(settings.root)
  checkNoReceiver(root, slot, context)
  const client = await findClient(options, settings, 'pgbk_wal_drop_slot', context)
  let server = await askWalServer(client.psql, slot)
  const psql = { ...client.psql, connection: pinned(client.psql.connection, server) }
  checkCluster(newestOnly(root), 'this server', server)
  if (server.slot && context.ask && !options.yes) {
    checkMayDrop(server.slot)
    if (!(await context.ask(questionOf(server, server.slot))))
      throw new PgbkError('failed', 'nothing was removed')
    // While somebody was thinking a receiver may have begun.
    checkNoReceiver(root, slot, context)
    server = await askWalServer(psql, slot)
  }
  if (server.slot) {
    checkMayDrop(server.slot)
    await dropSlot(psql, slot)
  }
  if (readReceiverState(root)?.slot === slot) rmSync(root.receiverState, { force: true })
  return { slot, server, dropped: server.slot !== null }
}

type Slot = NonNullable<WalServerFacts['slot']>

function questionOf({ host, port }: WalServerFacts, { name, retained_bytes }: Slot): string {
  const kept = formatBytes(retained_bytes ?? 0)
  return `Remove the replication slot ${name} of ${host}:${port}? The server no longer keeps the ${kept} of WAL that it holds, and what is not received by then is lost to the archive.`
}

function checkNoReceiver(root: RootLayout, slot: string, { now }: Context): void {
  const receiver = readAliveReceiver(root, now())
  if (receiver?.slot !== slot) return
  throw new PgbkError('failed', `a receiver is using the slot ${slot} (process ${receiver.pid})`, {
    hint: 'Stop pgbk wal receive first.',
  })
}

function checkMayDrop({ name, slot_type, active, active_pid }: Slot): void {
  if (slot_type !== 'physical')
    throw new PgbkError('refused', `the replication slot ${name} is a ${slot_type} one, and not pgbk's`)
  if (active) {
    throw new PgbkError(
      'refused',
      `the replication slot ${name} is in use (process ${active_pid} of the server)`,
      {
        hint: 'Stop the receiver that uses it first; it may run on another machine.',
      },
    )
  }
}
