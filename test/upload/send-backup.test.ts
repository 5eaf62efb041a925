import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { factsOf, PgbkError } from '../../src/errors.js'
import { keysOf } from '../../src/place/store/keys.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { readObject } from '../../src/place/store/read-object.js'
import { unreadStore } from '../../src/upload/unread-store.js'
import { thrownBy } from '../catalog/samples.js'
import { alice, bob } from '../encryption/samples.js'
import {
  aDirectoryStore,
  aPackedBackup,
  decrypted,
  failingAt,
  imageBytes,
  keysThere,
  send,
} from './sending.js'

const segment = '000000010000000000000003'
const encryptedFiles = [
  'README',
  'README.age',
  'backup.json',
  'backup.json.age',
  'snapshot.squashfs.age',
  `wal/${segment}.gz.age`,
]

describe('an upload that goes on with what one before it has sent', () => {
  it.each([['snapshot.squashfs.age'], [`${segment}.gz.age`], ['README.age']])(
    'is for those whom it is encrypted for now, when the one before failed at %s',
    async (ending) => {
      const what = aPackedBackup()
      const { top } = keysOf.backup(what.backup.id)
      const { objects, openFor } = aDirectoryStore()
      await thrownBy(() => send(what, openFor([alice.recipient], failingAt(objects, ending))))
      expect(await send(what, openFor([bob.recipient]))).toMatchObject({ isPublished: true })
      expect(await keysThere(objects)).toEqual(encryptedFiles)
      expect(await decrypted(objects, `${top}snapshot.squashfs.age`, bob)).toEqual(imageBytes)
      const wal = await decrypted(objects, `${top}wal/${segment}.gz.age`, bob)
      expect(gunzipSync(wal)).toHaveLength(what.backup.summary.wal_segment_size)
      expect(await faultsThere(objects, what.backup.id)).toEqual([])
    },
  )

  it('sends nothing a second time that is for the same', async () => {
    const what = aPackedBackup()
    const { objects, openFor } = aDirectoryStore()
    await thrownBy(() => send(what, openFor([alice.recipient], failingAt(objects, '/README.age'))))
    const sent: string[] = []
    const counting: ObjectStore = {
      ...objects,
      send: (key, bytes, onBytes) => {
        sent.push(key)
        return objects.send(key, bytes, onBytes)
      },
    }
    await send(what, openFor([alice.recipient], counting))
    expect(sent.map((key) => key.replace(/^.*\//, '')).sort()).toEqual([
      'README',
      'README.age',
      'backup.json.age',
    ])
  })

  it('takes no WAL for its own that others have encrypted, in whatever form it was', async () => {
    const what = aPackedBackup()
    const { top } = keysOf.backup(what.backup.id)
    const { objects, openFor } = aDirectoryStore()
    await objects.put(`${top}wal/${segment}.zst.age`, Buffer.from('for others'))
    await send(what, openFor([alice.recipient]))
    expect(await keysThere(objects)).toEqual(encryptedFiles)
  })
})

describe('what was sent in clear before there were recipients', () => {
  it.each([['snapshot.squashfs'], [`${segment}.gz`], ['README']])(
    'is not left beside the encrypted backup, when that upload failed at %s',
    async (ending) => {
      const what = aPackedBackup()
      const { objects, openFor } = aDirectoryStore()
      await thrownBy(() => send(what, openFor([], failingAt(objects, ending))))
      await send(what, openFor([alice.recipient]))
      expect(await keysThere(objects)).toEqual(encryptedFiles)
    },
  )

  it('is removed also where only a part of it has come', async () => {
    const what = aPackedBackup()
    const { directory, openFor } = aDirectoryStore()
    const part = join(directory, keysOf.backup(what.backup.id).top, '.pgbk-snapshot.squashfs.part')
    mkdirSync(dirname(part), { recursive: true })
    writeFileSync(part, readFileSync(what.form.image).subarray(0, 100_000))
    await send(what, openFor([alice.recipient]))
    expect(existsSync(part)).toBe(false)
  })

  it.each([
    ['is locked', async (keys: string[]) => keys.map((key) => ({ key, until: new Date('2026-12-24') }))],
    [
      'may not be removed',
      async () => {
        throw new PgbkError('failed', 'access denied', { facts: { kind: 'access-denied' } })
      },
    ],
  ])('keeps the encrypted one from being sent where it %s, and is named', async (_why, remove) => {
    const what = aPackedBackup()
    const { objects, openFor } = aDirectoryStore()
    await thrownBy(() => send(what, openFor([], failingAt(objects, '/README'))))
    const thrown = await thrownBy(() => send(what, openFor([alice.recipient], { ...objects, remove })))
    expect(thrown).toMatchObject({ code: 'failed', message: expect.stringContaining('in clear') })
    expect(thrown.hint).toContain(`${objects.locationOf(keysOf.backup(what.backup.id).top)}snapshot.squashfs`)
    expect(factsOf(thrown).kind).toBeUndefined()
    expect(await keysThere(objects)).toEqual(['snapshot.squashfs', `wal/${segment}.gz`])
  })

  it('is left alone beside a record: it is another’s', async () => {
    const what = aPackedBackup()
    const { objects, openFor } = aDirectoryStore()
    await send(what, openFor([]))
    await thrownBy(() => send(what, openFor([alice.recipient], failingAt(objects, '.age'))))
    expect(await keysThere(objects)).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      `wal/${segment}.gz`,
    ])
  })
})

/** What a record says of its files, compared with what lies there. */
async function faultsThere(objects: ObjectStore, id: string): Promise<string[]> {
  const { top, record } = keysOf.backup(id)
  const { encrypted } = JSON.parse(String(await readObject(objects, record, 100_000)))
  const faults: string[] = []
  for (const [name, { sha256 }] of Object.entries<{ sha256: string }>(encrypted.files)) {
    const bytes = await readObject(objects, top + name, 1_000_000)
    if (sha256Of(bytes) !== sha256) faults.push(name)
  }
  return faults
}

describe('two who upload the same backup', () => {
  it('do not replace each other’s image once the backup is published', async () => {
    const [mine, theirs] = [aPackedBackup(), aPackedBackup()]
    const { objects, openFor } = aDirectoryStore()
    const later: ObjectStore = {
      ...objects,
      async send(key, what, onBytes) {
        if (key.endsWith('.squashfs.age')) await send(theirs, openFor([alice.recipient]))
        return objects.send(key, what, onBytes)
      },
    }
    expect(await send(mine, openFor([alice.recipient], later))).toMatchObject({ isPublished: false })
    expect(await faultsThere(objects, mine.backup.id)).toEqual([])
    const left: string[] = []
    for await (const { key } of objects.unfinished('')) left.push(key)
    expect(left).toEqual([])
  })
})

describe('with credentials that may only write', () => {
  /** Of what is put only if it is not there, nobody hears the first time. */
  const unheard = (store: ObjectStore): ObjectStore => {
    let isFirst = true
    return {
      ...store,
      async put(key, bytes, ifAbsent) {
        const wasPut = await store.put(key, bytes, ifAbsent)
        if (!isFirst) return wasPut
        isFirst = false
        throw new PgbkError('unreachable', 'no answer')
      },
    }
  }
  const counting = (store: ObjectStore, sent: string[]): ObjectStore => ({
    ...store,
    async send(key, what, onBytes) {
      sent.push(key.replace(/^.*\//, ''))
      return store.send(key, what, onBytes)
    },
  })

  it.each([[[alice.recipient]], [[]]])(
    'a record that came there unheard is known the next time, for %j',
    async (recipients) => {
      const what = aPackedBackup()
      const { objects, openFor } = aDirectoryStore()
      const sent: string[] = []
      const seen = unheard(counting(objects, sent))
      const open = () => ({ ...openFor(recipients, unreadStore(seen)), mayRead: false })
      expect(await thrownBy(() => send(what, open()))).toMatchObject({ code: 'unreachable' })
      sent.length = 0
      expect(await send(what, open())).toMatchObject({ isPublished: true })
      expect(sent).toEqual([recipients.length > 0 ? `${segment}.gz.age` : `${segment}.gz`])
      if (recipients.length > 0) expect(await faultsThere(objects, what.backup.id)).toEqual([])
    },
  )

  it('another’s record is never taken for one’s own', async () => {
    const what = aPackedBackup()
    const { objects, openFor } = aDirectoryStore()
    await objects.put(keysOf.backup(what.backup.id).record, Buffer.from('theirs'))
    const open = () => ({ ...openFor([alice.recipient], unreadStore(objects)), mayRead: false })
    for (let times = 0; times < 2; times++)
      expect(await thrownBy(() => send(what, open()))).toMatchObject({
        code: 'failed',
        message: expect.stringContaining('is there already'),
      })
  })
})

function sha256Of(bytes: Buffer | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex')
}
