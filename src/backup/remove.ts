import { rename } from 'node:fs/promises'
import type { Backup } from './catalog.js'
import { syncPath } from './durable.js'
import type { RootLayout } from './layout.js'
import { discard } from './partial.js'

/**
 * Removes a backup. First its record becomes the marker: one step, that needs no space on a full disk, and from then on it is
 * no backup but something to throw away. Only under the catalog lock.
 */
export async function removeBackup(root: RootLayout, { layout }: Backup): Promise<void> {
  await rename(layout.record, layout.marker)
  await syncPath(layout.directory)
  await discard(layout)
  await syncPath(root.backups)
}
