import type { StoredBackup } from '../../catalog/backup.js'
import { storedBackup } from '../../catalog/backup.js'
import { type Catalog, checkId, newestFirst, rejectByName, rejections } from '../../catalog/catalog.js'
import { holdIn } from '../../catalog/hold.js'
import { isId } from '../../catalog/id.js'
import { proofIn } from '../../catalog/proof.js'
import { isInImage, summarize } from '../../catalog/record.js'
import { messageOf, PgbkError } from '../../errors.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { mostBytes } from '../../system/files/read-small.js'
import { keysOf } from './keys.js'
import type { ObjectStore } from './object-store.js'
import { readObject } from './read-object.js'

/** What a store has, with the records' own bytes by id. */
interface StoreCatalog {
  catalog: Catalog<StoredBackup>
  records: Map<string, Buffer>
}

/** Each costs a round trip. */
const atOnce = 16

/**
 * Reads the record of each backup, and what was put beside it. One whose record is not there is none: it is being sent, or removed.
 * @throws {PgbkError} as an `ObjectStore`.
 */
export async function readStoreCatalog(store: ObjectStore): Promise<StoreCatalog> {
  const catalog: Catalog<StoredBackup> = { root: store.name, backups: [], rejected: [] }
  const records = new Map<string, Buffer>()
  await inParallel(await store.directoriesIn(keysOf.backups), atOnce, async (id) => {
    if (!isId(id)) return rejectByName(catalog, id)
    try {
      const record = await readObject(store, keysOf.backup(id).record, mostBytes.record)
      if (record === undefined) return void catalog.rejected.push({ name: id, ...rejections.noRecord })
      catalog.backups.push(await backupOf(store, id, record))
      records.set(id, record)
    } catch (error) {
      if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
      catalog.rejected.push({ name: id, reason: messageOf(error) })
    }
  })
  catalog.rejected.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { catalog: newestFirst(catalog), records }
}

/** @throws {PgbkError} `damaged` for a record that is none, or another's. */
async function backupOf(store: ObjectStore, id: string, record: Buffer): Promise<StoredBackup> {
  const read = summarize(record.toString())
  checkId(read, id)
  const keys = keysOf.backup(id)
  const note = async (key: string) => (await noteAt(store, key))?.toString()
  const [proof, hold] = await Promise.all([note(keys.proof), note(keys.hold)])
  const isWhole = isInImage(read) || (await store.stat(keys.label)) !== undefined
  return storedBackup(read, isWhole ? 'whole' : 'used', {
    proof: proof === undefined ? undefined : proofIn(proof, id),
    hold: hold === undefined ? undefined : holdIn(hold),
  })
}

/** What is too large to be one says nothing, but is there. */
async function noteAt(store: ObjectStore, key: string): Promise<Buffer | undefined> {
  try {
    return await readObject(store, key, mostBytes.note)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return Buffer.alloc(0)
    throw error
  }
}
