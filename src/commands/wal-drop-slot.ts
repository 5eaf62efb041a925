import { rmSync } from 'node:fs'
import { checkCluster } from '../backup/check-cluster.js'
import { rootLayout } from '../backup/layout.js'
import { isReceiverAlive, readReceiverState } from '../backup/receiver-state.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection.js'
import { findClient } from '../postgres/reach-server.js'
import { askWalServer, dropSlot, type WalServerFacts } from '../postgres/wal-server.js'
import { formatBytes } from '../units.js'
import { newestOnly } from '../wal/find-backup.js'

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
export async function walDropSlot(
  options: DropSlotOptions,
  settings: Settings,
  context: Context,
): Promise<DropSlotResult> {
  const { slot } = settings.wal
  const root = rootLayout(settings.root)
  const receiver = readReceiverState(root)
  if (receiver && receiver.slot === slot && isReceiverAlive(receiver, context.now())) {
    throw new PgbkError('failed', `a receiver is using the slot ${slot} (process ${receiver.pid})`, {
      hint: 'Stop pgbk wal receive first.',
    })
  }
  const { psql } = await findClient(options, settings, 'pgbk_wal_drop_slot', context)
  const server = await askWalServer(psql, slot)
  checkCluster(newestOnly(root), 'this server', server, false)
  const retire = () => {
    if (receiver?.slot === slot) rmSync(root.receiverState, { force: true })
  }
  if (!server.slot) {
    retire()
    return { slot, server, dropped: false }
  }
  checkMayDrop(server.slot)
  const kept = formatBytes(server.slot.retained_bytes ?? 0)
  const question = `Remove the replication slot ${slot} of ${server.host}:${server.port}? The server no longer keeps the ${kept} of WAL that it holds, and what is not received by then is lost to the archive.`
  if (context.ask && !options.yes && !(await context.ask(question)))
    throw new PgbkError('failed', 'nothing was removed')
  await dropSlot(psql, slot)
  retire()
  return { slot, server, dropped: true }
}

function checkMayDrop({ name, slot_type, active, active_pid }: NonNullable<WalServerFacts['slot']>): void {
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
