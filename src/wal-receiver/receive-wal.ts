import type { RootLayout } from '../catalog/layout.js'
import { claimRoot, makeRoot } from '../catalog/prepare-root.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { findClient } from '../postgres/server/connect-to-server.js'
import { withLock } from '../system/files/lock.js'
import { gzipLevel } from './compress.js'
import { receiveWal } from './receiver.js'

/** Keeps the WAL archive growing until it is told to end. One receiver a root. */
export async function walReceive(
  options: ConnectionFlags,
  settings: Settings,
  context: Context,
): Promise<never> {
  const root = enterOrMakeRoot(settings, context)
  const client = await findClient(options, settings, 'pgbk_receive', context)
  return withLock(root.walLock, { purpose: 'wal receive' }, context, (guarded) =>
    receiveWal({ root, client, slot: settings.wal.slot, level: gzipLevel(settings.wal.compress) }, guarded),
  )
}

/** A receiver may be there before the first backup. */
function enterOrMakeRoot({ root }: Settings, context: Context): RootLayout {
  const layout = claimRoot(root, context)
  makeRoot(layout)
  return layout
}
