import type { LocalBackup } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { explained, PgbkError, pgbkErrorFrom } from '../errors.js'
import { checkStoreCluster } from './check-store-cluster.js'
import { thereUnseen } from './earlier/there-unseen.js'
import { type BackupThere, findThere } from './find-there.js'
import type { OpenStore } from './open-stores.js'
import { packedFormOf } from './packed-form.js'
import { sendBackup } from './send-backup.js'
import { sendWal, walJobOf } from './send-wal.js'
import { withUploadDirectory } from './upload-directory.js'
import { misfitOf, otherReadersOf } from './wrapping/misfit.js'

/** What every upload of one call has in common. */
export interface UploadJob {
  root: RootLayout
  task: Task
  /** The stores may have backups of another cluster. */
  newCluster: boolean
}

/** How the upload of one backup to one store has ended. */
export interface Upload {
  backup: LocalBackup
  /** As it was named. */
  store: string
  /** Its name in the configuration, if it has one. */
  configured: string | undefined
  /** Where the backup is there; undefined where the store could not be opened. */
  location: string | undefined
  /** For whom it is encrypted; none where it is not. */
  recipients: readonly string[]
  /** It was there: what was sent is newer WAL alone. */
  wasThere: boolean
  sentBytes: number
  sentWalFiles: number
  durationMs: number
  error?: PgbkError
}

type Sent = Pick<Upload, 'wasThere' | 'sentBytes' | 'sentWalFiles'>

/** Brings a backup to stores; it is packed once for all that lack it. What fails with one store keeps no other from being tried. */
export async function uploadOne(backup: LocalBackup, stores: OpenStore[], job: UploadJob): Promise<Upload[]> {
  const { context } = job.task
  const uploads: Upload[] = []
  const lacking: OpenStore[] = []
  for (const store of stores) {
    const ended = await endOf(backup, store, context, () => sendNewerWal(backup, store, job))
    if (ended.error || ended.wasThere) uploads.push(ended)
    else lacking.push(store)
  }
  if (lacking.length === 0) return uploads
  try {
    await packAndSend(backup, lacking, job, (ended) => uploads.push(ended))
  } catch (error) {
    const ended = uploads.map(({ store }) => store)
    for (const store of lacking.filter(({ objects }) => !ended.includes(objects.name)))
      uploads.push(await endOf(backup, store, context, () => Promise.reject(error)))
  }
  return uploads
}

async function packAndSend(
  backup: LocalBackup,
  stores: OpenStore[],
  { root, task, newCluster }: UploadJob,
  tell: (ended: Upload) => void,
): Promise<void> {
  await withUploadDirectory(root, backup, task.context, async (aside, guarded) => {
    const form = await packedFormOf(backup, aside, { ...task, context: guarded })
    let isDone = true
    for (const store of stores) {
      const ended = await endOf(backup, store, guarded, async () => {
        const check = async () => {
          if (!newCluster) await checkStoreCluster(backup, store)
        }
        const sent = await sendBackup({ backup, form, aside, store, check }, guarded)
        // What was faster may have been another's of that second, or may not be whole.
        if (!sent.isPublished && !(await findThere(backup, store, guarded)))
          throw noLongerThere(backup, store)
        return { wasThere: !sent.isPublished, sentBytes: sent.bytes, sentWalFiles: sent.walFiles }
      })
      tell(ended)
      isDone &&= ended.error === undefined
    }
    return isDone
  })
}

function noLongerThere({ id }: LocalBackup, { objects }: OpenStore): PgbkError {
  return new PgbkError('failed', `backup ${id} was in ${objects.name}, and is no longer there`, {
    hint: 'It may have been removed meanwhile. Try again.',
  })
}

/** What has come since to a backup that a store has. */
async function sendNewerWal(
  backup: LocalBackup,
  store: OpenStore,
  { root, task: { context }, newCluster }: UploadJob,
): Promise<Sent> {
  if (store.mayRead && !newCluster) await checkStoreCluster(backup, store)
  const there = await lookFor(backup, store, root, context)
  const sent = { wasThere: there !== undefined, sentBytes: 0, sentWalFiles: 0 }
  if (!there) return sent
  const misfit = misfitOf(there.summary, store.recipients)
  if (misfit !== undefined) {
    context.progress.warn(`newer WAL of ${backup.id} is not sent to ${store.objects.name}: ${misfit}`)
    return sent
  }
  await withUploadDirectory(root, backup, context, async (aside, guarded) => {
    context.progress.step(`sending newer WAL of ${backup.id} to ${store.objects.name}`)
    const wal = await sendWal(walJobOf(backup, store, aside), there.files, guarded)
    const readers = wal.files > 0 ? otherReadersOf(there.summary, store.recipients) : undefined
    if (readers !== undefined) guarded.progress.warn(readers)
    Object.assign(sent, { sentBytes: wal.bytes, sentWalFiles: wal.files })
    return false
  })
  return sent
}

/** Where nobody may look, by what is noted here. */
async function lookFor(
  backup: LocalBackup,
  store: OpenStore,
  root: RootLayout,
  context: Context,
): Promise<BackupThere | undefined> {
  return store.mayRead ? findThere(backup, store, context) : thereUnseen(backup, store, root)
}

/** What was thrown is a result like others, unless somebody has ended the command. */
async function endOf(
  backup: LocalBackup,
  store: OpenStore,
  context: Context,
  work: () => Promise<Sent>,
): Promise<Upload> {
  const startedAt = context.now().getTime()
  const nothing = { wasThere: false, sentBytes: 0, sentWalFiles: 0 }
  const ended = (sent: Sent & Pick<Upload, 'error'>) => ({
    backup,
    store: store.objects.name,
    configured: store.name,
    location: store.place.locationOf(backup.id),
    recipients: store.recipients,
    ...sent,
    durationMs: context.now().getTime() - startedAt,
  })
  try {
    return ended(await work())
  } catch (error) {
    context.signal.throwIfAborted()
    const what = `upload ${backup.id} to ${store.objects.name}`
    return ended({ ...nothing, error: pgbkErrorFrom(explained(error, what)) })
  }
}
