import type { Context } from '../context.js'
import { keysOf } from '../place/store/keys.js'
import type { StoredObject } from '../place/store/object-store.js'
import { removeOtherwiseWrapped } from './earlier/otherwise-wrapped.js'
import { publishUnseen, recordOfEarlier } from './earlier/publish-unseen.js'
import { walOfEarlier } from './earlier/wal-of-earlier.js'
import { publishRecord, withdrawOther } from './publish-record.js'
import { type ImageJob, sendImage } from './send-image.js'
import { sendWal, walJobOf } from './send-wal.js'
import { fileSendable } from './wrapping/file-sendable.js'
import { sendParcel } from './wrapping/send-parcel.js'
import type { SentFile, WrappedRecord } from './wrapping/wrapping.js'

/** What goes where. */
interface SendJob extends ImageJob {
  /** Is asked last of all, and throws when the backup must not be there. */
  check(): Promise<void>
}

interface SentBackup {
  /** False where another upload of the same backup was faster. */
  isPublished: boolean
  bytes: number
  walFiles: number
}

/**
 * Sends a backup: its image, whose bytes are compared with its record meanwhile; its WAL; what goes with the record, and that last of all:
 * the backup is listed then.
 * @throws {PgbkError} `damaged` when the image is not what was packed; as `ObjectStore`, `removeOtherwiseWrapped` and `publishRecord`.
 */
export async function sendBackup(job: SendJob, context: Context): Promise<SentBackup> {
  const { backup, aside, store } = job
  const { objects } = store
  const { top } = keysOf.backup(backup.id)
  await removeOtherwiseWrapped(backup, store)
  context.progress.step(`sending ${backup.id} to ${objects.name}`)
  const image = await sendImage(job, context)
  if (!image) return { isPublished: false, bytes: 0, walFiles: 0 }
  const { object, sha256 } = image
  const sentImage = { name: object.key.slice(top.length), bytes: object.bytes, sha256 }
  await withdrawOther(sentImage, backup, objects)
  context.progress.step(`sending the WAL of ${backup.id} to ${objects.name}`)
  const { there, settle } = await walOfEarlier(top, store, aside)
  const wal = await sendWal(walJobOf(backup, store, aside), there, context)
  await settle()
  context.progress.step(`publishing ${backup.id} in ${objects.name}`)
  const { clear, beside } = await wrapRecord(job, sentImage, context)
  const own = new Map([[object.key, object]])
  for (const parcel of beside) {
    const sent = await sendParcel(parcel, top, objects)
    own.set(sent.key, sent)
  }
  await job.check()
  const isPublished = await publish(job, { clear, sentImage, own, there }, context)
  const bytes = [...own.values()].reduce((sum, one) => sum + one.bytes, clear.length + wal.bytes)
  return { isPublished, bytes, walFiles: wal.files }
}

/** Whoever cannot look what is there goes on with that of an earlier upload, with which all that belongs to it was sent. */
async function wrapRecord(
  { backup, form, aside, store }: SendJob,
  image: SentFile,
  { signal }: Context,
): Promise<WrappedRecord> {
  const clear = store.mayRead ? undefined : recordOfEarlier(aside, store.objects, backup.id, image)
  if (clear) return { clear, beside: [] }
  return store.wrapping.wrapRecord(form.record, fileSendable(form.readme, signal), image)
}

interface SentFiles {
  clear: Buffer
  sentImage: SentFile
  own: ReadonlyMap<string, StoredObject>
  there: ReadonlyMap<string, StoredObject>
}

async function publish(
  { backup: { id }, aside, store: { objects, mayRead } }: SendJob,
  { clear, sentImage, own, there }: SentFiles,
  context: Context,
): Promise<boolean> {
  if (!mayRead) {
    await publishUnseen(clear, sentImage, { id, store: objects, aside })
    return true
  }
  const { top } = keysOf.backup(id)
  const needed = [...there.keys()].filter((name) => name.startsWith('wal/')).map((name) => top + name)
  return publishRecord(clear, { id, store: objects, own, needed }, context)
}
