import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { directoryStore } from '../../src/place/store/directory-store.js'
import { keysOf } from '../../src/place/store/keys.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { readObject } from '../../src/place/store/read-object.js'
import { publishRecord, withdrawOther } from '../../src/upload/publish-record.js'
import { aContext, aRecord, thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const id = '20261120T030000Z'
const { top, record: recordKey } = keysOf.backup(id)
const imageKey = `${top}snapshot.squashfs`
const context = aContext({ tickMs: 5 })

/** A store, and what two uploaders of the same backup do there. */
function aStore() {
  const store = directoryStore(aDirectory(), aContext())
  const put = async (key: string, text: string) => {
    await store.put(key, Buffer.from(text))
    const object = await store.stat(key)
    if (!object) throw new Error(`${key} is not there`)
    return object
  }
  return {
    store,
    put,
    /** What an uploader has sent. */
    async sent(who: string) {
      const image = await put(imageKey, `image of ${who}`)
      await put(`${top}wal/000000010000000000000003`, 'wal')
      return {
        id,
        store,
        own: new Map([[imageKey, image]]),
        needed: [`${top}wal/000000010000000000000003`],
      }
    },
    async recordThere() {
      return String(await readObject(store, recordKey, 10_000))
    },
  }
}

/** The same store, where something happens in the moment after a record was put. */
function afterPut(store: ObjectStore, work: () => Promise<unknown>): ObjectStore {
  return {
    ...store,
    async put(key, bytes, ifAbsent) {
      const wasPut = await store.put(key, bytes, ifAbsent)
      await work()
      return wasPut
    },
  }
}

describe('the record of a backup in a store', () => {
  it('is put when what it tells of lies there', async () => {
    const { sent, recordThere } = aStore()
    expect(await publishRecord(Buffer.from('mine'), await sent('me'), context)).toBe(true)
    expect(await recordThere()).toBe('mine')
  })

  it('is not put over the files of another uploader', async () => {
    const { sent, recordThere } = aStore()
    const mine = await sent('me')
    await sent('another')
    const thrown = await thrownBy(() => publishRecord(Buffer.from('mine'), mine, context))
    expect(thrown).toMatchObject({ code: 'failed', hint: expect.stringContaining('Try again') })
    expect(await recordThere()).toBe('undefined')
  })

  it('is taken back when another’s files have come in the same moment', async () => {
    const { store, sent, recordThere } = aStore()
    const mine = await sent('me')
    const late = { ...mine, store: afterPut(store, () => sent('another')) }
    expect(await thrownBy(() => publishRecord(Buffer.from('mine'), late, context))).toMatchObject({
      code: 'failed',
    })
    expect(await recordThere()).toBe('undefined')
  })

  it('is not taken back where another has put its own by then', async () => {
    const { store, sent, put, recordThere } = aStore()
    const mine = await sent('me')
    const rival = async () => {
      await sent('another')
      await put(recordKey, 'theirs')
    }
    const late = { ...mine, store: afterPut(store, rival) }
    expect(await publishRecord(Buffer.from('mine'), late, context)).toBe(false)
    expect(await recordThere()).toBe('theirs')
  })

  it('stays another’s where its files lie there: the backup is there', async () => {
    const { sent, put, recordThere } = aStore()
    const mine = await sent('me')
    await sent('another')
    await put(recordKey, 'theirs')
    expect(await publishRecord(Buffer.from('mine'), mine, context)).toBe(false)
    expect(await recordThere()).toBe('theirs')
  })

  it('takes the place of one that tells of what is no longer there, and stays when that one is taken back', async () => {
    const { sent, put, store, recordThere } = aStore()
    await put(recordKey, 'theirs')
    const mine = await sent('me')
    // The other has read its own before it was replaced.
    setTimeout(() => void store.remove([recordKey]), 60)
    expect(await publishRecord(Buffer.from('mine'), mine, aContext({ tickMs: 200 }))).toBe(true)
    expect(await recordThere()).toBe('mine')
  })

  it('is withdrawn as soon as another image lies there', async () => {
    const { put, store, recordThere } = aStore()
    const packed = { bytes: 10, sha256: 'a'.repeat(64), snapshot_bytes: 20, uid: 1, gid: 1 }
    const text = JSON.stringify(aRecord({ format: 2, packed }))
    await put(recordKey, text)
    const image = { name: 'snapshot.squashfs', ...packed }
    await withdrawOther(image, { id }, store)
    expect(await recordThere()).toBe(text)
    await withdrawOther({ ...image, sha256: 'b'.repeat(64) }, { id }, store)
    expect(await recordThere()).toBe('undefined')
  })

  it.each([
    ['is locked', async (keys: string[]) => keys.map((key) => ({ key, until: new Date('2026-12-24') }))],
    [
      'may not be removed',
      async () => {
        throw new PgbkError('failed', 'access denied', { facts: { kind: 'access-denied' } })
      },
    ],
  ])('is told of where it would be withdrawn, and %s', async (_why, remove) => {
    const { put, store } = aStore()
    const packed = { bytes: 10, sha256: 'a'.repeat(64), snapshot_bytes: 20, uid: 1, gid: 1 }
    await put(recordKey, JSON.stringify(aRecord({ format: 2, packed })))
    const image = { name: 'snapshot.squashfs', ...packed, sha256: 'b'.repeat(64) }
    const thrown = await thrownBy(() => withdrawOther(image, { id }, { ...store, remove }))
    expect(thrown).toMatchObject({
      code: 'failed',
      message: expect.stringContaining('no longer there, and may not be removed'),
    })
  })

  it('was put by a killed upload that was not told', async () => {
    const { sent, put } = aStore()
    const mine = await sent('me')
    await put(recordKey, 'mine')
    expect(await publishRecord(Buffer.from('mine'), mine, context)).toBe(true)
  })

  it('is not put without the WAL', async () => {
    const { sent, store, recordThere } = aStore()
    const mine = await sent('me')
    await store.remove(mine.needed)
    expect(await thrownBy(() => publishRecord(Buffer.from('mine'), mine, context))).toMatchObject({
      message: expect.stringContaining('wal/000000010000000000000003 is no longer there'),
    })
    expect(await recordThere()).toBe('undefined')
  })

  it('is put where the store lists late', async () => {
    const { store, sent } = aStore()
    const mine = await sent('me')
    const slow = { ...store, async *list() {} }
    expect(await publishRecord(Buffer.from('mine'), { ...mine, store: slow }, context)).toBe(true)
  })
})
