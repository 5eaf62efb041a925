import { type LocalBackup, recordOf, type StoredBackup, storedBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { checkCluster } from '../catalog/check-cluster.js'
import type { RootLayout } from '../catalog/layout.js'
import { createRoot, openRootToCreate } from '../catalog/prepare-root.js'
import { summarize } from '../catalog/record.js'
import { selectBackup } from '../catalog/select.js'
import { localPath, resolveSource, sourceName } from '../catalog/source-place.js'
import type { Settings, Task } from '../config/load.js'
import type { Context } from '../context.js'
import { explained, PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { openPlace } from '../place/open-place.js'
import { checkNotInUse } from '../removal/in-use.js'
import { keepReplacedWal } from '../removal/keep-replaced-wal.js'
import { isReceivedInto, receiverLeaves } from '../removal/receiver-leaves.js'
import { joiningFor } from '../removal/remove-keeping-wal.js'
import { checkComplete } from '../snapshot/completeness.js'
import { syncTree } from '../system/files/durable.js'
import { withLock } from '../system/files/lock.js'
import { checkOtherRoot, checkRoomForDownload, checkWanted, findHere } from './check-destination.js'
import { type DownloadDirectory, removeDownload, withDownloadDirectory } from './download-directory.js'
import { type FetchedBackup, fetchFiles } from './fetch-files.js'
import { lookAtOld } from './keep-whole.js'
import { publishDownload } from './publish-download.js'
import { checkDownloadedConf, verifyDownload } from './verify-download.js'

export interface DownloadOptions {
  from?: string
  to?: string
  /** Only the WAL that the snapshot itself needs. */
  wal?: boolean
  /** Take the place of one that is used, or half there. */
  replace?: boolean
  newCluster?: boolean
}

export interface DownloadResult {
  backup: LocalBackup
  source: string
  /** Where it was brought to, when that is not the root of the settings. */
  to: string | undefined
  /** Undefined when it was here already, and whole. */
  transfer: { bytes: number; durationMs: number; verifiedBy: string } | undefined
}

/** Brings a backup of another root into this one. What has come of it is kept until it is complete. */
export async function download(
  id: string,
  options: DownloadOptions,
  { settings, context }: Task,
): Promise<DownloadResult> {
  const startedAt = context.now()
  const name = sourceName(options.from, settings, options.to === undefined ? undefined : settings.root)
  const destination = options.to === undefined ? settings.root : localPath(options.to, context.cwd)
  const root = openRootToCreate(destination, context)
  const source = await openPlace(name, context, { ...settings, isHeld: true })
  checkOtherRoot(source, destination)
  const printed = resolveSource(name, context.cwd, settings.stores)
  const backup = await withWholeRecord(source, selectBackup(await source.list(), id, context, printed))
  const record = await checkWanted(backup, source, printed, context)
  const { server } = recordOf(backup)
  const newCluster = options.newCluster ?? false
  if (!newCluster) checkCluster(readCatalog(destination), `backup ${backup.id}`, server)
  const here = await findHere(root, backup, options)
  if (here) return { backup: here, source: name, to: options.to, transfer: undefined }

  createRoot(root)
  return withDownloadDirectory(root, { backup, source: name }, context, async (directory, guarded) => {
    const job = { root, source, backup, record, directory, options, settings }
    const { received, verifiedBy } = await complete(job, guarded)
    const published = await publish(job, guarded)
    const durationMs = context.now().getTime() - startedAt.getTime()
    return {
      backup: published,
      source: name,
      to: options.to,
      transfer: { bytes: received, durationMs, verifiedBy },
    }
  })
}

interface DownloadJob {
  root: RootLayout
  source: Place
  backup: StoredBackup
  /** Its bytes in the source. */
  record: Buffer
  directory: DownloadDirectory
  options: DownloadOptions
  settings: Settings
}

/** Fetches what is not here yet, checks all of it, and flushes it to disk. */
async function complete(
  job: DownloadJob,
  context: Context,
): Promise<{ received: number; verifiedBy: string }> {
  const { root, source, backup, directory, options } = job
  const { layout } = directory
  try {
    const wanted = { source, backup, directory, noWal: options.wal === false }
    const fetched = await fetchFiles(wanted, context, (kept) => checkRoomForDownload(root, backup, kept))
    context.progress.step('verifying')
    const work = [verify(job, fetched, context), syncTree(layout.directory)] as const
    await Promise.allSettled(work)
    const [verifiedBy] = await Promise.all(work)
    context.signal.throwIfAborted()
    return { received: fetched.received, verifiedBy }
  } catch (error) {
    await leave(job, context)
    throw explained(error, `download ${backup.id}`)
  }
}

async function verify(
  { backup, directory, settings }: DownloadJob,
  fetched: FetchedBackup,
  context: Context,
): Promise<string> {
  const { layout } = directory
  const verifiedBy = await verifyDownload({ backup, layout }, fetched, { settings, context })
  if (backup.form === 'packed') return verifiedBy
  await checkComplete({ id: backup.id, state: 'whole', snapshot: layout.snapshot })
  await checkDownloadedConf(backup, layout, fetched, context)
  return verifiedBy
}

/** After a failure: what has come is kept, unless nothing has. */
async function leave({ backup, directory: { layout } }: DownloadJob, { progress }: Context): Promise<void> {
  if ((await lookAtOld(layout.directory)).files.size === 0) return removeDownload(layout)
  progress.say(
    `what has arrived of ${backup.id} is kept in ${layout.directory}; the next download of it continues there`,
  )
}

/** Where another download of the same backup was faster, that one stays. */
async function publish(job: DownloadJob, context: Context): Promise<LocalBackup> {
  const { root, backup, record, directory, options } = job
  return withLock(root.catalogLock, { purpose: 'download', wait: true }, context, async (guarded, lock) => {
    const here = await findHere(root, backup, options)
    if (here) {
      await lock.check()
      await removeDownload(directory.layout)
      return here
    }
    checkNotInUse([{ id: backup.id, directory: root.backup(backup.id) }], root.root, context)
    const stored = storedBackup(summarize(record.toString()), 'whole')
    const downloaded = { ...stored, directory: directory.layout.directory }
    const joining = joiningFor({ settings: job.settings, context: guarded })
    const keep = (grows: boolean) => keepReplacedWal(root, downloaded, { joining, grows }, guarded)
    await keep(isReceivedInto(root, backup.id, guarded))
    const { directory: place } = await publishDownload(
      root,
      { id: backup.id, layout: directory.layout, record },
      lock,
      () => keepReceived(job, () => keep(false), guarded),
    )
    return { ...stored, directory: place }
  })
}

/** What a receiver writes into the archive of the one that is replaced follows when it has left that. */
async function keepReceived(
  { root, backup: { id } }: DownloadJob,
  keep: () => Promise<void>,
  context: Context,
): Promise<void> {
  if (!isReceivedInto(root, id, context)) return
  context.progress.step('waiting for the receiver of WAL to leave the old archive')
  if (!(await receiverLeaves(root, id, context)))
    throw new PgbkError(
      'failed',
      `backup ${id} cannot be replaced: pgbk wal receive writes into its archive`,
      {
        hint: 'Stop it, and try again; then start it anew.',
      },
    )
  await keep()
}
