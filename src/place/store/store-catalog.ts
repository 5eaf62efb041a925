import type { StoredBackup } from '../../catalog/backup.js'
import { storedBackup } from '../../catalog/backup.js'
import { type Catalog, checkId, newestFirst, rejectByName, rejections } from '../../catalog/catalog.js'
import { holdIn } from '../../catalog/hold.js'
import { isId } from '../../catalog/id.js'
import { KeptRecords } from '../../catalog/kept-records.js'
import { proofIn } from '../../catalog/proof.js'
import { isInImage, summarize } from '../../catalog/record.js'
import { messageOf, PgbkError } from '../../errors.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { mostBytes } from '../../system/files/read-small.js'
import { checkEntries } from '../contract/listing.js'
import { keysOf } from './keys.js'
import type { ObjectStore } from './object-store.js'
import { checkSize, readBeginning, readObject } from './read-object.js'

/** What a store has, with the own bytes of those records that are kept whole, by id. */
interface StoreCatalog {
  catalog: Catalog<StoredBackup>
  records: Map<string, Buffer>
}

/** Each costs a round trip. */
const atOnce = 16

/** A record with more bytes is read alone: 16 of the largest would fill memory. One of a hundred databases has 40 kB. */
const mostAtOnce = 1 << 20

/**
 * Reads the record of each backup, and what was put beside it. One whose record is not there is none: it is being sent, or removed.
 * @throws {PgbkError} as an `ObjectStore`.
 */
export async function readStoreCatalog(store: ObjectStore): Promise<StoreCatalog> {
  const catalog: Catalog<StoredBackup> = { root: store.name, backups: [], rejected: [] }
  const records = new Map<string, Buffer>()
  const kept = new KeptRecords()
  const large: string[] = []
  const names = await store.directoriesIn(keysOf.backups)
  checkEntries(names.length, store.name)
  const add = (id: string, most: number) =>
    orRejected(catalog, id, async () => {
      const record = await readBeginning(store, keysOf.backup(id).record, most + 1)
      if (record === undefined) return void catalog.rejected.push({ name: id, ...rejections.noRecord })
      if (record.length > most && most < mostBytes.record) return void large.push(id)
      checkSize(store, keysOf.backup(id).record, record, most)
      const backup = await backupOf(store, id, record, kept)
      catalog.backups.push(backup)
      if (!backup.isPart) records.set(id, record)
    })
  await inParallel(names, atOnce, async (id) => {
    if (isId(id)) await add(id, mostAtOnce)
    else rejectByName(catalog, id)
  })
  for (const id of large.sort().reverse()) await add(id, mostBytes.record)
  catalog.rejected.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { catalog: newestFirst(catalog), records }
}

async function orRejected(
  catalog: Catalog<StoredBackup>,
  id: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
    catalog.rejected.push({ name: id, reason: messageOf(error) })
  }
}

/** @throws {PgbkError} `damaged` for a record that is none, or another's. */
async function backupOf(
  store: ObjectStore,
  id: string,
  record: Buffer,
  kept: KeptRecords,
): Promise<StoredBackup> {
  const json = record.toString()
  const whole = summarize(json)
  checkId(whole, id)
  const read = kept.keep(whole, json)
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
