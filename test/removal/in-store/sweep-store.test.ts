import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { keysOf } from '../../../src/place/store/keys.js'
import { sweepStore } from '../../../src/removal/in-store/sweep-store.js'
import { aContext } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const hour = 3_600_000
const now = new Date('2026-11-25T03:00:00Z')
const context = aContext({ now: () => now })
const [id, other] = ['20261120T030000Z', '20261121T030000Z']

function aStore() {
  const directory = aDirectory()
  const pathOf = (backup: string, name: string) => join(directory, keysOf.backup(backup).top, name)
  return {
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
    expect(await sweepStore(store, context, { dryRun: true })).toEqual({ ids: [id], kept: [] })
    expect(isThere(id)).toBe(true)
    expect(await sweepStore(store, context, { dryRun: false })).toEqual({ ids: [id], kept: [] })
    expect([isThere(id), isThere(other, draft)]).toEqual([false, true])
  })

  it('stays while a part of a file grows', async () => {
    const { store, put, isThere } = aStore()
    put(id, 'wal/000000010000000000000003.gz', 30)
    put(id, '.pgbk-snapshot.squashfs.part', 1)
    expect((await sweepStore(store, context, { dryRun: false })).ids).toEqual([])
    expect(isThere(id, 'wal/000000010000000000000003.gz')).toBe(true)
  })

  it('goes beside a backup that is there, which loses nothing', async () => {
    const { store, put, isThere } = aStore()
    const draft = '.pgbk-snapshot.squashfs.part'
    for (const name of ['backup.json', 'snapshot.squashfs', draft]) put(id, name, 30)
    await sweepStore(store, context, { dryRun: true })
    expect(isThere(id, draft)).toBe(true)
    expect((await sweepStore(store, context, { dryRun: false })).ids).toEqual([])
    expect(['backup.json', 'snapshot.squashfs', draft].map((name) => isThere(id, name))).toEqual([
      true,
      true,
      false,
    ])
  })
})
