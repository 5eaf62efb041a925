import { unlink } from 'node:fs/promises'
import type { Backup } from './catalog.js'
import { syncPath } from './durable.js'
import type { RootLayout } from './layout.js'
import { discard, writeMarker } from './partial.js'

/** Removes a backup: first its record, which alone makes it one, then the rest. Only under the catalog lock. */
export async function removeBackup(root: RootLayout, { layout }: Backup): Promise<void> {
  await writeMarker(layout, { made_by: 'delete' })
  await unlink(layout.record)
  await syncPath(layout.directory)
  await discard(layout)
  await syncPath(root.backups)
}
