import { type LocalBackup, recordOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { localPlace } from '../place/local-place.js'
import { type OpenStore, openStores } from './open-stores.js'
import { sweepUploads } from './upload-directory.js'
import { type Upload, type UploadJob, uploadOne } from './upload-one.js'

export interface UploadOptions {
  /** A store's name in the configuration, or where one is. */
  to?: string
  /** All that the stores do not have yet, the oldest first. */
  all?: boolean
  newCluster?: boolean
}

/**
 * Brings a backup to the stores, packed, and listed there only when all of it has come; what a killed upload has sent is not sent again.
 * A backup that is there already gets the WAL that has come since.
 * @returns how each has ended: where there are several, the failure of one keeps no other from being tried.
 */
export async function upload(id: string | undefined, options: UploadOptions, task: Task): Promise<Upload[]> {
  const { settings, context } = task
  const root = openRootToChange(settings.root, context)
  const catalog = await localPlace(root.root, context).list()
  const chosen = options.all
    ? allOf(catalog, context)
    : [checked(selectBackup(catalog, id ?? 'latest', context))]
  const stores = await openStores(options.to, task)
  try {
    await sweepUploads(root, context)
    const uploads = await uploadEach(chosen, stores, { root, task, newCluster: options.newCluster ?? false })
    return options.all
      ? uploads.filter(({ error, wasThere, sentWalFiles }) => error || !wasThere || sentWalFiles > 0)
      : uploads
  } finally {
    for (const { objects } of stores) await objects.close()
  }
}

/** The oldest first. What cannot be uploaded keeps no other from it. */
function allOf({ backups }: Catalog, { progress }: Context): LocalBackup[] {
  return [...backups].reverse().filter((backup) => {
    const fault = backup.state === 'whole' ? recordFault(backup) : `it is ${backup.state}`
    if (fault !== undefined) progress.warn(`${backup.id} is not uploaded: ${fault}`)
    return fault === undefined
  })
}

/** @throws {PgbkError} `failed` for one that is no longer what was backed up; `damaged`. */
function checked(backup: LocalBackup): LocalBackup {
  recordOf(backup)
  if (backup.state === 'whole') return backup
  throw new PgbkError(
    'failed',
    `backup ${backup.id} is ${backup.state}: a server was started inside its snapshot`,
    {
      hint: 'It is no longer what was backed up, and is not uploaded.',
    },
  )
}

/** A store that does not answer is not asked for the next backup. */
async function uploadEach(backups: LocalBackup[], stores: OpenStore[], job: UploadJob): Promise<Upload[]> {
  const isSingle = backups.length * stores.length === 1
  const away = new Set<OpenStore>()
  const uploads: Upload[] = []
  for (const backup of backups) {
    const asked = stores.filter((store) => !away.has(store))
    for (const ended of await uploadOne(backup, asked, job)) {
      if (ended.error && isSingle) throw ended.error
      if (ended.error?.code === 'unreachable') away.add(ended.store)
      uploads.push(ended)
    }
  }
  return uploads
}
