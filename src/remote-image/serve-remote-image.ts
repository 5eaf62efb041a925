import { once } from 'node:events'
import { type StoredBackup, storedBackup } from '../catalog/backup.js'
import { type ReadRecord, readRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { chunkBytes } from '../encryption/chunks.js'
import { PgbkError } from '../errors.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { loadPlace, openPlace } from '../place/open-place.js'
import { allOf } from '../system/files/in-parallel.js'
import { isAlive } from '../system/process/process-table.js'
import { blockCache, ofThisProcess } from './block-cache.js'
import { blocksKey } from './blocks-key.js'
import { expectFirstReads } from './expect-first-reads.js'
import { failureOf, writeFetchNote } from './fetch-note.js'
import { holderName } from './holder-name.js'
import { type ImageErrand, type WantedImage, wantedImageIn } from './image-errand.js'
import { type ImageReader, imageReader } from './image-reader.js'
import { serveImage } from './serve-image.js'
import { imageBlockSize } from './stripe.js'

/** The open /dev/fuse that this process gets. */
const device = 3
/** Requests to a place at the same time. */
const atOnce = 8
const noteEvery = 100
/** What the kernel reads ahead of any file, unless somebody has set that (VM_READAHEAD_PAGES in include/linux/mm.h). */
const mostInRequest = 128 << 10

/**
 * Serves the image of a backup elsewhere as one file, as soon as it is told which, until nobody has it mounted or open any more. What fails
 * is told in the note: once it is mounted, who reads hears of an input/output error only.
 * @param onFirstRead is called when somebody has read of it.
 * @throws {PgbkError} as `openPlace`; `not-found` when there is no such backup any more, or it is another one; the signal's reason.
 */
export async function serveRemoteImage(
  errand: ImageErrand,
  given: Context,
  onFirstRead: () => void,
): Promise<void> {
  const { place: name, stores, note, cache, lasts } = errand
  const said: { failure?: ReturnType<typeof failureOf> } = {}
  let reader: ImageReader | undefined
  let told = ''
  const tell = () => {
    const now = { bytes: 0, requests: 0, ...reader?.fetched, ...said }
    if (JSON.stringify(now) !== told) writeFetchNote(note, now)
    told = JSON.stringify(now)
  }
  const timer = setInterval(tell, noteEvery)
  const over = new AbortController()
  let isRead = false
  try {
    const [wanted] = await allOf([wantedImageIn(given.stdin), loadPlace(name, given, stores)])
    if (!wanted) return
    const { id, bytes, identities } = wanted
    const signal = AbortSignal.any([given.signal, over.signal])
    const context = { ...given, signal, identities: async () => identities ?? [] }
    const place = await openPlace(name, context, { stores, isHeld: true })
    const backup = await findBackup(place, wanted)
    const key = blocksKey(errand, wanted, context)
    const blocks = blockCache({ ...cache, key, now: context.now })
    const own = imageReader({
      ...{ bytes, atOnce, name: `snapshot.squashfs of backup ${id} in ${name}` },
      together: identities ? chunkBytes / imageBlockSize : 1,
      cache: lasts ? ofThisProcess(blocks) : blocks,
      read: (range, take) => place.read(backup, imageName, range, take),
    })
    reader = own
    const notice = expectFirstReads(bytes, own)
    const { uid, gid } = context.user()
    const read = async (position: number, length: number) => {
      notice(position, length)
      try {
        const bytes = await own.read(position, length)
        if (!isRead) onFirstRead()
        isRead = true
        return bytes
      } catch (error) {
        said.failure = failureOf(error)
        // At once: who is told of it may end this process at once.
        tell()
        throw error
      }
    }
    const holder = Number(context.env[holderName] ?? 0)
    // What lasts is made of all of it.
    const readAhead = lasts ? mostInRequest : 0
    const isAwaited = () => holder === 0 || isAlive(holder)
    const serving = serveImage(device, { bytes, uid, gid, readAhead, read }, isAwaited)
    await Promise.race([serving, aborted(given.signal)])
  } catch (error) {
    said.failure = failureOf(error)
    throw error
  } finally {
    clearInterval(timer)
    // What is still being fetched ahead is for nobody.
    over.abort(new PgbkError('interrupted', 'nobody reads the image any more'))
    tell()
  }
}

/** Rejected with the signal's reason. */
async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

/** Whoever has sent this process has just listed it: that costs further round trips only where files of this machine are looked for. */
async function findBackup(
  place: Place,
  { id, sha256, record, identities }: WantedImage,
): Promise<StoredBackup> {
  if (place.directory === undefined) return borrowed(readRecord(record), identities !== undefined)
  const listed = (await place.list()).backups.find((one) => one.id === id)
  const backup = listed && (await withWholeRecord(place, listed))
  if (backup?.summary.packed?.sha256 === sha256) return backup
  throw new PgbkError('not-found', `backup ${id} is no longer in ${place.name} as it was listed`, {
    hint: 'Was it removed, or unpacked? Try again.',
  })
}

/** As `withWholeRecord` makes it: for whom it is encrypted does not matter to who can read its record. */
function borrowed(read: ReadRecord, isEncrypted: boolean): StoredBackup {
  const { bytes = 0, snapshot_bytes = 0 } = read.summary.packed ?? {}
  const facts = { recipients: [], image_bytes: bytes, snapshot_bytes, files: {} }
  const backup = storedBackup(read, 'whole')
  return isEncrypted ? { ...backup, summary: { ...backup.summary, encrypted: facts } } : backup
}
