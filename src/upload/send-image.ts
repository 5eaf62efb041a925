import type { LocalBackup } from '../catalog/backup.js'
import type { BackupFiles } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { StoredObject } from '../place/store/object-store.js'
import type { Sendable } from '../system/files/sendable.js'
import { noteSent, sentEarlier } from './earlier/sent-note.js'
import type { OpenStore } from './open-stores.js'
import type { PackedForm } from './packed-form.js'
import { isSameObject } from './publish-record.js'
import { fileSendable } from './wrapping/file-sendable.js'
import { hashedOnTheWay } from './wrapping/hashing.js'
import { sendParcel } from './wrapping/send-parcel.js'
import type { Parcel } from './wrapping/wrapping.js'

/** An image, and where it goes. */
export interface ImageJob {
  backup: LocalBackup
  form: PackedForm
  /** The directory of this upload. */
  aside: BackupFiles
  store: OpenStore
}

/** An image as it lies in a store. */
interface SentImage {
  object: StoredObject
  sha256: string
}

/**
 * Sends the image of a backup. It is read once where that can be: its bytes are compared with its record as they go, and the last of them
 * are not given away when they are not those.
 * @returns undefined where somebody else has published the backup by then: then nothing was put in the place of that one's image.
 * @throws {PgbkError} `damaged`; as `ObjectStore`.
 */
export async function sendImage(job: ImageJob, context: Context): Promise<SentImage | undefined> {
  const plain = hashedOnTheWay(fileSendable(job.form.image, context.signal))
  const { name, what } = await wrapImage(job, plain.what)
  const sent = what === plain.what ? plain : hashedOnTheWay(what)
  const fate: Fate = { isLost: false, damage: undefined }
  const check = async () => {
    if ((await plain.sha256()) !== job.form.packed.sha256) fate.damage ??= await job.form.damaged()
    if (fate.damage) throw fate.damage
  }
  try {
    const object = await sendUnlessThere(job, { name, what: sent.what, check, fate }, context)
    const sha256 = await sent.sha256()
    await check()
    return { object, sha256 }
  } catch (error) {
    if (fate.isLost) return undefined
    throw fate.damage ?? error
  }
}

function wrapImage({ form, aside, store }: ImageJob, image: Sendable): Promise<Parcel> {
  const again = { sha256: form.packed.sha256, directory: aside.directory }
  return store.wrapping.wrap('snapshot.squashfs', image, again)
}

/** Why an image is not sent to its end, whatever a store makes of that. */
interface Fate {
  isLost: boolean
  damage: PgbkError | undefined
}

/** What is sent. */
interface CheckedParcel extends Parcel {
  fate: Fate
  /** When all of it was read. @throws {PgbkError} `damaged`. */
  check(): Promise<void>
}

/** One that an earlier upload has sent whole is not sent again. */
async function sendUnlessThere(
  job: ImageJob,
  parcel: CheckedParcel,
  { progress }: Context,
): Promise<StoredObject> {
  const { backup, form, aside, store } = job
  const { objects, wrapping } = store
  const { top } = keysOf.backup(backup.id)
  const key = top + wrapping.nameOf('snapshot.squashfs')
  const image = { key, sha256: form.packed.sha256, whose: wrapping.whose }
  const earlier = sentEarlier(aside, objects, image)
  if (earlier && !store.mayRead) return earlier
  const there = earlier && (await objects.stat(key))
  if (there && isSameObject(there, earlier)) return there
  const { name, what, fate } = parcel
  let done = 0
  const onBytes = (bytes: number) => {
    done += bytes
    progress.bytes(done, what.bytes)
  }
  const object = await sendParcel({ name, what: upToItsEnd(parcel, job) }, top, objects, onBytes).catch(
    async (error) => {
      if (fate.isLost) await objects.discard([key])
      throw error
    },
  )
  await noteSent(aside, objects, image, object)
  return object
}

/**
 * The same bytes, but their end is not given away when they are damaged, nor once the backup has a record: that one tells of another image,
 * which this would replace.
 */
function upToItsEnd({ what, check, fate }: CheckedParcel, { backup, store }: ImageJob): Sendable {
  const { record } = keysOf.backup(backup.id)
  return {
    bytes: what.bytes,
    async *read(from, length) {
      let at = from
      for await (const piece of what.read(from, length)) {
        at += piece.length
        if (at >= what.bytes) {
          await check()
          if (await store.objects.stat(record)) {
            fate.isLost = true
            throw new PgbkError(
              'failed',
              `another upload has published ${backup.id} in ${store.objects.name}`,
            )
          }
        }
        yield piece
      }
    },
  }
}
