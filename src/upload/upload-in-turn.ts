import type { LocalBackup } from '../catalog/backup.js'
import { noteUploads } from './note-uploads.js'
import type { OpenStore } from './open-stores.js'
import { type Upload, type UploadJob, uploadOne } from './upload-one.js'

/** A backup, and where it is to come. */
export interface WantedUpload {
  backup: LocalBackup
  stores: OpenStore[]
}

/** One backup after the other; a store that does not answer is not asked for the next one. How each ends is noted at once. */
export async function uploadInTurn(wanted: WantedUpload[], job: UploadJob): Promise<Upload[]> {
  const away = new Set<string>()
  const all: Upload[] = []
  for (const { backup, stores } of wanted) {
    const uploads = await uploadOne(
      backup,
      stores.filter(({ objects }) => !away.has(objects.name)),
      job,
    )
    await noteUploads(job.root, uploads, job.task.context)
    for (const { error, store } of uploads) if (error?.code === 'unreachable') away.add(store)
    all.push(...uploads)
  }
  return all
}
