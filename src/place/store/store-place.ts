import type { StoredBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { mostBytes } from '../../system/files/read-small.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import { isUnfinishedFile } from '../../wal-segments/segment-forms.js'
import type { FileWriter } from '../contract/file-writer.js'
import type { Place } from '../contract/place.js'
import { archiveEntries } from './archive-entries.js'
import { goneFrom } from './gone.js'
import { keysOf } from './keys.js'
import type { ObjectStore, StoredObject } from './object-store.js'
import { piped } from './piped.js'
import { readObject } from './read-object.js'
import { readStoreCatalog } from './store-catalog.js'
import { listStored } from './store-listing.js'
import { writeTar } from './write-tar.js'

/** Each costs a round trip. */
const atOnce = 8

/** A store as a place to read from. Names are as they are stored. */
export function storePlace(store: ObjectStore, { signal, progress }: Context): Place {
  let records = new Map<string, Buffer>()
  const listed = new Map<string, ReadonlyMap<BytePath, StoredObject>>()
  const keyOf = ({ id }: StoredBackup, name: BytePath) => keysOf.backup(id).file(name)
  /** One of WAL that is not finished may be another one by now. */
  const find = async (backup: StoredBackup, name: BytePath) =>
    (isUnfinishedFile(name) ? undefined : listed.get(backup.id)?.get(name)) ??
    (await store.stat(keyOf(backup, name)))
  const readRecord = async ({ id }: StoredBackup) => {
    const record = records.get(id) ?? (await readObject(store, keysOf.backup(id).record, mostBytes.record))
    if (record === undefined) throw goneFrom(store.name, `backup ${id}`)
    records.set(id, record)
    return record
  }
  return {
    name: store.name,
    directory: undefined,
    locationOf: (id) => store.locationOf(keysOf.backup(id).top.slice(0, -1)),
    async list() {
      const read = await readStoreCatalog(store)
      records = read.records
      return read.catalog
    },
    readRecord,
    async files({ id }) {
      const { listing, objects } = await listStored(store, id)
      // A removal begins with the record.
      if (!(await store.stat(keysOf.backup(id).record))) throw goneFrom(store.name, `backup ${id}`)
      listed.set(id, objects)
      return { ...listing, bytes: new Map([...objects].map(([name, { bytes }]) => [name, bytes])) }
    },
    read: (backup, name, range, take) => store.read(keyOf(backup, name), range, take),
    async transfer(backup, names, writer) {
      const gone: string[] = []
      progress.step('copying')
      await inParallel(names, atOnce, async (name) => {
        signal.throwIfAborted()
        const object = await find(backup, name)
        const isThere = object && (await copied(store, object, name, writer))
        if (!isThere) gone.push(messageOf(goneFrom(store.name, keyOf(backup, name))))
      })
      return gone.slice(0, 5).join('; ')
    },
    async archive(backup, listing, take) {
      const gone: string[] = []
      progress.step('archiving')
      const record = await readRecord(backup)
      const wanted = { id: backup.id, listing, record, find: (name: BytePath) => find(backup, name) }
      const entries = archiveEntries(store, wanted, (complaint) => void gone.push(complaint))
      await piped((write) => writeTar(entries, write), take)
      return gone.join('\n')
    },
  }
}

/** Whether it has come. */
async function copied(
  store: ObjectStore,
  { key, changedAt }: StoredObject,
  name: BytePath,
  writer: FileWriter,
): Promise<boolean> {
  try {
    await store.read(key, { from: 0 }, async (pieces) => {
      const file = writer.begin(name, changedAt)
      try {
        for await (const piece of pieces) file.write(piece)
      } catch (error) {
        file.abandon()
        throw error
      }
      file.finish()
    })
    return true
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'not-found') return false
    throw error
  }
}
