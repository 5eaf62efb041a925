import type { LocalBackup } from '../catalog/backup.js'
import type { BackupFiles } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { StoredObject } from '../place/store/object-store.js'
import { allOf } from '../system/files/in-parallel.js'
import type { Sendable } from '../system/files/sendable.js'
import { noteSent, sentEarlier } from './earlier/sent-note.js'
import type { OpenStore } from './open-stores.js'
import type { PackedForm } from './packed-form.js'
import { isSameObject } from './publish-record.js'
import { fileSendable } from './wrapping/file-sendable.js'
import { hashedOnTheWay, sha256Of } from './wrapping/hashing.js'
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
 * Sends the image of a backup, whose bytes are compared with its record meanwhile.
 * @returns undefined where somebody else has published the backup by then: then nothing was put in the place of that one's image.
 * @throws {PgbkError} `damaged`, when nothing more of it is read; as `ObjectStore`.
 */
export async function sendImage(job: ImageJob, context: Context): Promise<SentImage | undefined> {
  const failed = new AbortController()
  const signal = AbortSignal.any([context.signal, failed.signal])
  const race = { isLost: false }
  const stop = (error: unknown) => {
    failed.abort(error)
    throw error
  }
  const work = [
    checkImage(job, signal).catch(stop),
    sendUnlessThere(job, race, { ...context, signal }).catch(stop),
  ] as const
  try {
    // At the same time: each byte comes from the disk once.
    const [sha256, object] = await allOf(work)
    return { object, sha256 }
  } catch (error) {
    if (race.isLost) return undefined
    throw error
  }
}

/** Reads all of the image. @returns the SHA-256 of what is sent. @throws {PgbkError} `damaged`. */
async function checkImage(job: ImageJob, signal: AbortSignal): Promise<string> {
  const { packed, damaged } = job.form
  const plain = hashedOnTheWay(fileSendable(job.form.image, signal))
  const { what } = await wrapImage(job, plain.what)
  const sent = what === plain.what ? undefined : await sha256Of(what)
  if (sent === undefined) for await (const _piece of what.read(0, what.bytes));
  const sha256 = plain.sha256()
  if (sha256 !== packed.sha256) throw await damaged()
  return sent ?? sha256
}

function wrapImage({ form, aside, store }: ImageJob, image: Sendable): Promise<Parcel> {
  const again = { sha256: form.packed.sha256, directory: aside.directory }
  return store.wrapping.wrap('snapshot.squashfs', image, again)
}

interface Race {
  isLost: boolean
}

/** One that an earlier upload has sent whole is not sent again. */
async function sendUnlessThere(
  job: ImageJob,
  race: Race,
  { signal, progress }: Context,
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
  const { name, what } = await wrapImage(job, fileSendable(form.image, signal))
  let done = 0
  const onBytes = (bytes: number) => {
    done += bytes
    progress.bytes(done, what.bytes)
  }
  const object = await sendParcel({ name, what: unlessLost(what, race, job) }, top, objects, onBytes).catch(
    async (error) => {
      if (race.isLost) await objects.discard([key])
      throw error
    },
  )
  await noteSent(aside, objects, image, object)
  return object
}

/** The same bytes, but its end is not given away once the backup has a record: that one tells of another image, which this would replace. */
function unlessLost(what: Sendable, race: Race, { backup, store }: ImageJob): Sendable {
  const { record } = keysOf.backup(backup.id)
  return {
    bytes: what.bytes,
    async *read(from, length) {
      let at = from
      for await (const piece of what.read(from, length)) {
        at += piece.length
        if (at >= what.bytes && (await store.objects.stat(record))) {
          race.isLost = true
          throw new PgbkError('failed', `another upload has published ${backup.id} in ${store.objects.name}`)
        }
        yield piece
      }
    },
  }
}
