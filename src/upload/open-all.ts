import type { LocalBackup } from '../catalog/backup.js'
import { storeNamed } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { pgbkErrorFrom } from '../errors.js'
import { type OpenStore, openStoreFor } from './open-stores.js'
import type { Upload } from './upload-one.js'

/** The stores that can be opened; one may lack its credentials. @param backup whose upload fails there then. */
export async function openAll(
  names: string[],
  backup: LocalBackup,
  task: Task,
): Promise<{ stores: OpenStore[]; failed: Upload[] }> {
  const stores: OpenStore[] = []
  const failed: Upload[] = []
  for (const name of names) {
    try {
      stores.push(await openStoreFor(name, task))
    } catch (thrown) {
      task.context.signal.throwIfAborted()
      const named = storeNamed(name, task.settings.stores)
      const recipients = named?.recipients ?? []
      const nothing = { wasThere: false, sentBytes: 0, sentWalFiles: 0, durationMs: 0 }
      const where = { backup, store: name, configured: named && name, location: undefined, recipients }
      failed.push({ ...where, ...nothing, error: pgbkErrorFrom(thrown) })
    }
  }
  return { stores, failed }
}
