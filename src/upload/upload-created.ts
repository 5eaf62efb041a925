import type { LocalBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import type { Settings, Task } from '../config/load.js'
import { withEnds } from '../context.js'
import { notePending, noteUploads, pendingIn } from './note-uploads.js'
import { openAll } from './open-all.js'
import { type OpenStore, usualStores } from './open-stores.js'
import { sweepUploads } from './upload-directory.js'
import { uploadInTurn, type WantedUpload } from './upload-in-turn.js'
import type { Upload } from './upload-one.js'

export interface UploadCreatedOptions {
  /** Undefined: as the configuration says of each store. */
  upload?: boolean
  scheduled?: boolean
  newCluster?: boolean
}

/**
 * To which stores a backup goes that is about to be made.
 * @throws {PgbkError} `usage` where it is to be uploaded, and nobody can tell where to.
 */
export function storesOfCreate({ upload, scheduled }: UploadCreatedOptions, settings: Settings): string[] {
  if (upload === true) return usualStores(settings)
  if (upload === false) return []
  const takes = { always: true, scheduled: scheduled === true, never: false }
  return Object.entries(settings.stores).flatMap(([name, store]) => (takes[store.upload] ? name : []))
}

/**
 * Sends a new backup to stores, after those that they were to get before and have not got. The backup is there whatever happens here: a
 * failure is a warning, is noted, and the next create tries again.
 */
export async function uploadCreated(
  backup: LocalBackup,
  names: string[],
  { newCluster = false }: UploadCreatedOptions,
  { settings, context }: Task,
): Promise<Upload[]> {
  if (names.length === 0) return []
  const root = rootLayout(settings.root)
  for (const name of names) await notePending(root, name, backup.id, context)
  const uploads = await withEnds(context, async (own) => {
    const task = { settings, context: own }
    const { stores, failed } = await openAll(names, backup, task)
    await noteUploads(root, failed, own)
    await sweepUploads(root, own)
    const sent = await uploadInTurn(wantedBy(stores, backup, root), { root, task, newCluster })
    return [...failed, ...sent]
  })
  for (const {
    backup: { id },
    store,
    error,
  } of uploads)
    if (error)
      context.progress.warn(
        `${id} was not uploaded to ${store}, the next create tries again: ${error.message}`,
      )
  return uploads
}

/** What each of them lacks, the oldest first: the newest is not packed before the one that has already been. */
function wantedBy(stores: OpenStore[], created: LocalBackup, root: RootLayout): WantedUpload[] {
  const whole = readCatalog(root.root).backups.filter(({ state }) => state === 'whole')
  const ids = new Set(whole.map(({ id }) => id))
  const lacking = new Map(
    stores.map((store) => {
      const pending = pendingIn(root, store.name ?? '', ids).map((one) => one.backup)
      return [store, new Set([...pending, created.id])]
    }),
  )
  return whole.reverse().flatMap((backup) => {
    const asking = stores.filter((store) => lacking.get(store)?.has(backup.id))
    return asking.length > 0 ? [{ backup, stores: asking }] : []
  })
}
