import { describe, expect, it } from '@jest/globals'
import { recordOf, type StoredBackup } from '../../../src/catalog/backup.js'
import { recordFault } from '../../../src/catalog/check-cluster.js'
import type { Context } from '../../../src/context.js'
import { withWholeRecord } from '../../../src/place/encrypted/whole-record.js'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import type { ObjectStore } from '../../../src/place/store/object-store.js'
import { storePlace } from '../../../src/place/store/store-place.js'
import { mostBytes } from '../../../src/system/files/read-small.js'
import { aContext, aProof, aRecord, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const id = '20261120T030000Z'
const context: Context = aContext()

const aStore = () => directoryStore(aDirectory(), context)

async function put(store: ObjectStore, files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, text] of Object.entries(files))
    await store.put(`data/backup/${name}`, Buffer.from(text as string))
}

const record = (changes = {}) => JSON.stringify(aRecord({ id, ...changes }))

describe('the place of a store', () => {
  it('takes what has no record for none, and what is no backup for what it is', async () => {
    const store = aStore()
    await put(store, {
      [`${id}/snapshot.squashfs`]: 'half',
      '20261121T030000Z/backup.json': record(),
      '20261122T030000Z/backup.json': Buffer.alloc(mostBytes.record + 1),
      '20261123T030000Z/backup.json': '{"format":99}',
      'notes/x': 'mine',
      '.hidden/x': 'mine',
    })
    const { backups, rejected } = await storePlace(store, context).list()
    expect(backups).toEqual([])
    expect(rejected.map(({ name, reason }) => [name, reason])).toEqual([
      [id, 'it has no record (backup.json)'],
      ['20261121T030000Z', `its record is that of ${id}`],
      ['20261122T030000Z', expect.stringContaining('no such file has')],
      ['20261123T030000Z', expect.stringContaining('format 99')],
      ['notes', 'its name is not a datestamp'],
    ])
  })

  it('reads what was put beside a record, and holds what is held by something unreadable', async () => {
    const store = aStore()
    await put(store, {
      [`${id}/backup.json`]: record(),
      [`${id}/proof.json`]: JSON.stringify(aProof()),
      [`${id}/hold.json`]: Buffer.alloc(mostBytes.note + 1),
    })
    const { backups } = await storePlace(store, context).list()
    expect(backups).toMatchObject([
      { state: 'used', proof: { ok: true }, hold: { reason: 'hold.json is unreadable' } },
    ])
  })

  it('reads one large record at a time', async () => {
    const store = aStore()
    const names = ['20261120T030000Z', '20261121T030000Z', '20261122T030000Z']
    for (const name of names)
      await put(store, { [`${name}/backup.json`]: record({ id: name, later: 'x'.repeat(2 << 20) }) })
    let [now, most] = [0, 0]
    const watched: ObjectStore = {
      ...store,
      async read(key, range, take) {
        if ((range.length ?? 0) <= 2 << 20) return store.read(key, range, take)
        most = Math.max(most, ++now)
        return store.read(key, range, take).finally(() => now--)
      },
    }
    const { backups } = await storePlace(watched, context).list()
    expect([backups.map(({ id }) => id).reverse(), most]).toEqual([names, 1])
  })

  it('reads of a record again what was too much to be kept', async () => {
    const store = aStore()
    await put(store, { [`${id}/backup.json`]: record() })
    const place = storePlace(store, context)
    const [listed] = (await place.list()).backups as [StoredBackup]
    const part = { ...listed, raw: listed.summary, isPart: true } as const
    expect(recordFault(part)).toBeUndefined()
    expect(recordOf(await withWholeRecord(place, part))).toEqual(aRecord({ id }))
  })

  it('takes an empty object with the name of a directory for one', async () => {
    const { store, backup } = await listed({ [`${id}/wal/1`]: 'x' }, [`data/backup/${id}/wal/`])
    expect(await storePlace(store, context).files(backup)).toEqual({
      directories: ['wal'],
      files: ['wal/1'],
      links: [],
      bytes: expect.any(Map),
    })
  })

  it.each(['../../x', 'a//b', './x', '/x', 'wal'])('refuses a backup with a file %j', async (name) => {
    const { store, backup } = await listed({}, [`data/backup/${id}/${name}`])
    expect(await thrownBy(() => storePlace(store, context).files(backup))).toMatchObject({ code: 'damaged' })
  })
})

/** A store that lists keys which no directory can have. */
async function listed(files: Record<string, string>, odd: string[]) {
  const store = aStore()
  await put(store, { ...files, [`${id}/backup.json`]: record() })
  const [backup] = (await storePlace(store, context).list()).backups
  const hostile: ObjectStore = {
    ...store,
    async *list(prefix) {
      yield* store.list(prefix)
      for (const key of odd) yield { key, bytes: 0, changedAt: new Date() }
    },
  }
  return { store: hostile, backup: backup as StoredBackup }
}
