import { messageOf, PgbkError } from '../../errors.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'
import type { Listing } from '../contract/listing.js'
import { archivedEntries } from './archived-entries.js'
import { goneFrom } from './gone.js'
import type { ObjectStore, StoredObject } from './object-store.js'
import type { TarEntry, TarFile } from './write-tar.js'

/** What is to be in the archive of a backup of a store. */
interface ArchivedObjects {
  id: string
  listing: Listing
  record: Buffer
  find(name: BytePath): Promise<StoredObject | undefined>
}

/** The entries of its archive, in its order. @param gone is told of what is not there any more. */
export function archiveEntries(
  store: ObjectStore,
  { id, listing, record: bytes, find }: ArchivedObjects,
  gone: (complaint: string) => void,
): AsyncGenerator<TarEntry> {
  const record: TarFile = {
    bytes: bytes.length,
    changedAt: new Date(0),
    read: (write) => write(bytes),
  }
  const fileOf = async (name: BytePath, inArchive: BytePath) => {
    const object = await find(name)
    return object ? fileIn(store, object) : messageOf(goneFrom(store.name, shownPath(inArchive)))
  }
  return archivedEntries({ id, listing, record }, fileOf, gone)
}

function fileIn(store: ObjectStore, { key, bytes, changedAt }: StoredObject): TarFile {
  const read: TarFile['read'] = (write) =>
    store.read(key, { from: 0, length: bytes }, async (pieces) => {
      let read = 0
      for await (const piece of pieces) {
        read += piece.length
        await write(piece)
      }
      if (read < bytes) throw changed(store, key)
    })
  return { bytes, changedAt, read }
}

function changed(store: ObjectStore, key: string): PgbkError {
  return new PgbkError('failed', `${key} of ${store.name} has changed while it was read`, {
    hint: 'Try again.',
  })
}
