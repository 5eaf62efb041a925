import { type LocalBackup, recordOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import { type Context, withEnds } from '../context.js'
import { PgbkError } from '../errors.js'
import { localPlace } from '../place/local-place.js'
import { keepableIn } from './keepable.js'
import { openAll } from './open-all.js'
import { type OpenStore, usualStores } from './open-stores.js'
import { sweepUploads } from './upload-directory.js'
import { uploadInTurn, type WantedUpload } from './upload-in-turn.js'
import type { Upload } from './upload-one.js'

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
  const names = options.to === undefined ? usualStores(settings) : [options.to]
  const [first] = chosen
  if (!first) return []
  return withEnds(context, async (own) => {
    const within = { settings, context: own }
    const { stores, failed } = await openAll(names, first, within)
    await sweepUploads(root, own)
    const wanted = options.all ? await lackedBy(stores, chosen, within) : [{ backup: first, stores }]
    const job = { root, task: within, newCluster: options.newCluster ?? false }
    const uploads = [...failed, ...(await uploadInTurn(wanted, job))]
    const [only] = uploads
    if (only?.error && uploads.length === 1) throw only.error
    const isNews = ({ error, wasThere, sentWalFiles }: Upload) => error || !wasThere || sentWalFiles > 0
    return options.all ? uploads.filter(isNews) : uploads
  })
}

/** Which store is to have which of them. */
async function lackedBy(stores: OpenStore[], backups: LocalBackup[], task: Task): Promise<WantedUpload[]> {
  const keepable = new Map<OpenStore, LocalBackup[]>()
  for (const store of stores) keepable.set(store, await keepableIn(store, backups, task))
  return backups.map((backup) => ({
    backup,
    stores: stores.filter((store) => keepable.get(store)?.includes(backup)),
  }))
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
