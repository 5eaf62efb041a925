import type { LocalBackup } from '../catalog/backup.js'
import { factsOf, type PgbkError } from '../errors.js'
import { noteUploads } from './note-uploads.js'
import type { OpenStore } from './open-stores.js'
import { keepOneImage } from './upload-directory.js'
import { type Upload, type UploadJob, uploadOne } from './upload-one.js'

/** A backup, and where it is to come. */
export interface WantedUpload {
  backup: LocalBackup
  stores: OpenStore[]
}

/**
 * One backup after the other; a store that does not answer, is full, or denies two of them, is not asked for the next one. How each ends is noted at
 * once. Of what was packed and has not come, one image is kept at most.
 */
export async function uploadInTurn(wanted: WantedUpload[], job: UploadJob): Promise<Upload[]> {
  const away = new Set<string>()
  const denied = new Set<string>()
  const all: Upload[] = []
  for (const { backup, stores } of wanted) {
    const uploads = await uploadOne(
      backup,
      stores.filter(({ objects }) => !away.has(objects.name)),
      job,
    )
    await noteUploads(job.root, uploads, job.task.context)
    for (const { error, store } of uploads) {
      // What one backup lacks the rights for may be its own: it must not keep all newer ones from coming.
      if (takesNothing(error) || (isDenied(error) && denied.has(store))) away.add(store)
      if (isDenied(error)) denied.add(store)
    }
    if (uploads.some(({ error }) => error)) await keepOneImage(job.root, job.task.context)
    all.push(...uploads)
  }
  return all
}

/** Whether the next one would fail as well. */
function takesNothing(error: PgbkError | undefined): boolean {
  return error?.code === 'unreachable' || error?.code === 'disk-full'
}

function isDenied(error: PgbkError | undefined): boolean {
  return factsOf(error).kind === 'access-denied'
}
