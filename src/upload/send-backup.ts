import type { LocalBackup } from '../catalog/backup.js'
import type { BackupFiles } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'
import { allOf } from '../system/files/in-parallel.js'
import type { Sendable } from '../system/files/sendable.js'
import type { OpenStore } from './open-stores.js'
import { removeOtherwiseWrapped } from './otherwise-wrapped.js'
import type { PackedForm } from './packed-form.js'
import { isSameObject, publishRecord, withdrawOther } from './publish-record.js'
import { sendWal, walJobOf } from './send-wal.js'
import { noteSent, sentEarlier } from './sent-note.js'
import { walOfEarlier } from './wal-of-earlier.js'
import { fileSendable } from './wrapping/file-sendable.js'
import { hashedOnTheWay, sha256Of } from './wrapping/hashing.js'
import type { Parcel } from './wrapping/wrapping.js'

/** What goes where. */
interface SendJob {
  backup: LocalBackup
  form: PackedForm
  /** The directory of this upload. */
  aside: BackupFiles
  store: OpenStore
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
 * @throws {PgbkError} `damaged` when the image is not what was packed; as `ObjectStore` and `publishRecord`.
 */
export async function sendBackup(job: SendJob, context: Context): Promise<SentBackup> {
  const { backup, form, aside, store } = job
  const { objects, wrapping } = store
  const { top } = keysOf.backup(backup.id)
  await removeOtherwiseWrapped(backup, store)
  context.progress.step(`sending ${backup.id} to ${objects.name}`)
  const { object: image, sha256 } = await sendImage(job, context)
  const sentImage = { name: image.key.slice(top.length), bytes: image.bytes, sha256 }
  await withdrawOther(sentImage, backup, objects)
  context.progress.step(`sending the WAL of ${backup.id} to ${objects.name}`)
  const { there, settle } = await walOfEarlier(top, store, aside)
  const wal = await sendWal(walJobOf(backup, store, aside), there, context)
  await settle()
  context.progress.step(`publishing ${backup.id} in ${objects.name}`)
  const readme = fileSendable(form.readme, context.signal)
  const { clear, beside } = await wrapping.wrapRecord(form.record, readme, sentImage)
  const own = new Map([[image.key, image]])
  for (const parcel of beside) {
    const object = await send(parcel, top, objects)
    own.set(object.key, object)
  }
  await job.check()
  const needed = [...there.keys()].filter((name) => name.startsWith('wal/')).map((name) => top + name)
  const isPublished = await publishRecord(clear, { id: backup.id, store: objects, own, needed }, context)
  const bytes = [...own.values()].reduce((sum, object) => sum + object.bytes, clear.length + wal.bytes)
  return { isPublished, bytes, walFiles: wal.files }
}

/** The image as it lies in the store then. @throws {PgbkError} `damaged`; nothing more of it is read then. */
async function sendImage(job: SendJob, context: Context): Promise<{ object: StoredObject; sha256: string }> {
  const failed = new AbortController()
  const signal = AbortSignal.any([context.signal, failed.signal])
  const checking = checkImage(job, context).catch((error) => {
    failed.abort(error)
    throw error
  })
  // At the same time: each byte comes from the disk once.
  const [sha256, object] = await allOf([checking, sendUnlessThere(job, { ...context, signal })] as const)
  return { object, sha256 }
}

/** Reads all of the image. @returns the SHA-256 of what is sent. @throws {PgbkError} `damaged`. */
async function checkImage(job: SendJob, { signal }: Context): Promise<string> {
  const { packed, damaged } = job.form
  const plain = hashedOnTheWay(fileSendable(job.form.image, signal))
  const { what } = await wrapImage(job, plain.what)
  const sent = what === plain.what ? undefined : await sha256Of(what)
  if (sent === undefined) for await (const _piece of what.read(0, what.bytes));
  const sha256 = plain.sha256()
  if (sha256 !== packed.sha256) throw await damaged()
  return sent ?? sha256
}

function wrapImage({ form, aside, store }: SendJob, image: Sendable): Promise<Parcel> {
  const again = { sha256: form.packed.sha256, directory: aside.directory }
  return store.wrapping.wrap('snapshot.squashfs', image, again)
}

/** One that an earlier upload has sent whole is not sent again. */
async function sendUnlessThere(job: SendJob, { signal, progress }: Context): Promise<StoredObject> {
  const { backup, form, aside, store } = job
  const { objects, wrapping } = store
  const { top } = keysOf.backup(backup.id)
  const key = top + wrapping.nameOf('snapshot.squashfs')
  const image = { key, sha256: form.packed.sha256, whose: wrapping.whose }
  const earlier = sentEarlier(aside, objects, image)
  const there = earlier && (await objects.stat(key))
  if (there && isSameObject(there, earlier)) return there
  const parcel = await wrapImage(job, fileSendable(form.image, signal))
  let done = 0
  const object = await send(parcel, top, objects, (bytes) => {
    done += bytes
    progress.bytes(done, parcel.what.bytes)
  })
  await noteSent(aside, objects, image, object)
  return object
}

/** @throws {PgbkError} `failed` when the store has not got all of it. */
async function send(
  { name, what }: Parcel,
  prefix: string,
  store: ObjectStore,
  onBytes: (bytes: number) => void = () => {},
): Promise<StoredObject> {
  const object = await store.send(`${prefix}${name}`, what, onBytes)
  if (object.bytes === what.bytes) return object
  throw new PgbkError(
    'failed',
    `${store.locationOf(object.key)} has ${object.bytes} bytes instead of the ${what.bytes} that were sent`,
    { hint: 'Try again. If it is so once more, the store, or a proxy on the way to it, loses data.' },
  )
}
