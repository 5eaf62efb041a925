import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { keysOf } from '../../../src/place/store/keys.js'
import type { ObjectStore } from '../../../src/place/store/object-store.js'
import { removeAllBelow } from '../../../src/removal/in-store/remove-from-store.js'
import { sweepStore } from '../../../src/removal/in-store/sweep-store.js'
import { aContext } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const hour = 3_600_000
const now = new Date('2026-11-25T03:00:00Z')
const context = aContext({ now: () => now })
const none = new Set<string>()
const [id, other] = ['20261120T030000Z', '20261121T030000Z']

function aStore() {
  const directory = aDirectory()
  const pathOf = (backup: string, name: string) => join(directory, keysOf.backup(backup).top, name)
  return {
    directory,
    store: directoryStore(directory, context),
    put(backup: string, name: string, hoursAgo: number) {
      const path = pathOf(backup, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, 'x')
      const time = new Date(now.getTime() - hoursAgo * hour)
      utimesSync(path, time, time)
    },
    isThere: (backup: string, name = '') => existsSync(pathOf(backup, name)),
  }
}

describe('what uploads have left in a store', () => {
  it.each([
    ['.pgbk-snapshot.squashfs.age.part'],
    ['.pgbk-snapshot.squashfs.lock'],
    ['.pgbk-backup.json.17-0a0b0c0d.new'],
    ['wal/.pgbk-000000010000000000000003.gz.part'],
  ])('goes a day later, also where it is nothing but %s', async (draft) => {
    const { store, put, isThere } = aStore()
    put(id, draft, 25)
    put(other, draft, 23)
    expect(await sweepStore(store, context, { listed: none, dryRun: true })).toEqual({ ids: [id], kept: [] })
    expect(isThere(id)).toBe(true)
    expect(await sweepStore(store, context, { listed: none, dryRun: false })).toEqual({ ids: [id], kept: [] })
    expect([isThere(id), isThere(other, draft)]).toEqual([false, true])
  })

  it('stays while a part of a file grows', async () => {
    const { store, put, isThere } = aStore()
    put(id, 'wal/000000010000000000000003.gz', 30)
    put(id, '.pgbk-snapshot.squashfs.part', 1)
    expect((await sweepStore(store, context, { listed: none, dryRun: false })).ids).toEqual([])
    expect(isThere(id, 'wal/000000010000000000000003.gz')).toBe(true)
  })

  it.each([
    ['was listed', new Set([id]), false],
    ['has a record in its own list', none, true],
  ])('stays where the store denies the record of a backup that %s', async (_what, listed, isInList) => {
    const { store, put, isThere } = aStore()
    for (const name of ['snapshot.squashfs', ...(isInList ? ['backup.json'] : [])]) put(id, name, 30)
    const denying: ObjectStore = { ...store, stat: async () => undefined }
    expect((await sweepStore(denying, context, { listed, dryRun: false })).ids).toEqual([])
    expect(isThere(id, 'snapshot.squashfs')).toBe(true)
  })

  it('takes along no object that a store names as an upload, and nothing of another backup', async () => {
    const { store, put, isThere } = aStore()
    for (const name of ['snapshot.squashfs', 'backup.json']) put(other, name, 30)
    put(id, 'snapshot.squashfs', 30)
    const draft = (key: string) => ({ key, bytes: 1, changedAt: new Date(0) })
    const lying: ObjectStore = {
      ...store,
      async *unfinished() {
        for (const backup of [other, `${id}/../${other}`])
          yield draft(`${keysOf.backup(backup).top}backup.json`)
      },
    }
    await removeAllBelow(lying, keysOf.backup(id).top)
    expect(isThere(id)).toBe(false)
    expect(['snapshot.squashfs', 'backup.json'].map((name) => isThere(other, name))).toEqual([true, true])
  })

  it('goes a day later where a doctor has left it', async () => {
    const { store, directory } = aStore()
    const names = ['.pgbk-probe-1', '.pgbk-.pgbk-probe-2.part', '.pgbk-probe-3']
    for (const [index, name] of names.entries()) {
      const path = join(directory, keysOf.backups, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, 'x')
      const time = new Date(now.getTime() - (index === 2 ? 23 : 25) * hour)
      utimesSync(path, time, time)
    }
    await sweepStore(store, context, { listed: none, dryRun: false })
    expect(readdirSync(join(directory, keysOf.backups))).toEqual(['.pgbk-probe-3'])
  })

  it('goes beside a backup that is there, which loses nothing', async () => {
    const { store, put, isThere } = aStore()
    const draft = '.pgbk-snapshot.squashfs.part'
    for (const name of ['backup.json', 'snapshot.squashfs', draft]) put(id, name, 30)
    await sweepStore(store, context, { listed: none, dryRun: true })
    expect(isThere(id, draft)).toBe(true)
    expect((await sweepStore(store, context, { listed: none, dryRun: false })).ids).toEqual([])
    expect(['backup.json', 'snapshot.squashfs', draft].map((name) => isThere(id, name))).toEqual([
      true,
      true,
      false,
    ])
  })
})
