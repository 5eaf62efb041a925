import { messageOf, PgbkError } from '../../errors.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'
import { archiveNames, type Listing } from '../contract/listing.js'
import { goneFrom } from './gone.js'
import type { ObjectStore, StoredObject } from './object-store.js'
import type { TarEntry } from './write-tar.js'

/** What is to be in the archive of a backup. */
interface Archived {
  id: string
  listing: Listing
  record: Buffer
  find(name: BytePath): Promise<StoredObject | undefined>
}

/** The entries of an archive, in its order. @param gone is told of what is not there any more. */
export async function* archiveEntries(
  store: ObjectStore,
  { id, listing, record, find }: Archived,
  gone: (complaint: string) => void,
): AsyncGenerator<TarEntry> {
  const top = `data/backup/${id}`
  const files = new Set<string>(listing.files)
  for (const name of archiveNames(id, listing)) {
    const below = name.slice(top.length + 1) as BytePath
    if (below === 'backup.json') yield { name, file: fileOf(record) }
    else if (!files.has(below)) yield { name, file: undefined }
    else {
      const object = await find(below)
      if (object) yield { name, file: fileIn(store, object) }
      else gone(messageOf(goneFrom(store.name, shownPath(name))))
    }
  }
}

type TarFile = NonNullable<TarEntry['file']>

function fileOf(record: Buffer): TarFile {
  return { bytes: record.length, changedAt: new Date(0), read: (write) => write(record) }
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
