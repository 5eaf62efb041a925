import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { keysOf } from '../../src/place/store/keys.js'
import { storePlace } from '../../src/place/store/store-place.js'
import { removeFromStore } from '../../src/removal/in-store/remove-from-store.js'
import { sweepStore } from '../../src/removal/in-store/sweep-store.js'
import { findThere } from '../../src/upload/find-there.js'
import { sendWal, walJobOf } from '../../src/upload/send-wal.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { aLateStore } from '../helpers/late-store.js'
import { aDirectoryStore, aPackedBackup, context, send } from './sending.js'

describe('a store that lists late', () => {
  let directory: string
  let world: Awaited<ReturnType<typeof aLateStore>>
  let open: ReturnType<typeof aDirectoryStore>['openFor']
  beforeEach(async () => {
    const made = aDirectoryStore()
    directory = made.directory
    world = await aLateStore(made.objects)
    open = made.openFor
  })
  const store = () => open([], world.late)
  const listed = async () => (await storePlace(world.late, context).list()).backups.map(({ id }) => id)

  it('gets a backup, which is listed later, and no second time', async () => {
    const what = aPackedBackup()
    expect(await send(what, store())).toMatchObject({ isPublished: true })
    expect(await listed()).toEqual([])
    const there = await findThere(what.backup, store(), context)
    expect(there?.summary.id).toBe(what.backup.id)
    await world.catchUp()
    expect(await listed()).toEqual([what.backup.id])
  })

  it('gets newer WAL of what it does not list yet, at worst once more', async () => {
    const what = aPackedBackup()
    await send(what, store())
    for (const files of [1, 0]) {
      const there = await findThere(what.backup, store(), context)
      const sent = await sendWal(
        walJobOf(what.backup, store(), what.aside),
        there?.files ?? new Map(),
        context,
      )
      expect(sent.files).toBe(files)
      await world.catchUp()
    }
  })

  it('gets a backup anew whose older image it still lists', async () => {
    const what = aPackedBackup()
    const { top } = keysOf.backup(what.backup.id)
    await world.late.put(`${top}snapshot.squashfs`, Buffer.from('of a killed upload'))
    await world.late.put(`${top}README`, Buffer.from('too'))
    await world.catchUp()
    expect(await send(what, store())).toMatchObject({ isPublished: true })
  })

  it('does not publish a backup whose image has gone, and is still listed', async () => {
    const what = aPackedBackup()
    const { top } = keysOf.backup(what.backup.id)
    const check = async () => {
      await world.catchUp()
      await world.late.remove([`${top}snapshot.squashfs`])
    }
    expect(await thrownBy(() => send(what, store(), check))).toMatchObject({
      message: expect.stringContaining('is no longer there'),
    })
    await world.catchUp()
    expect(await listed()).toEqual([])
  })

  it('that still lists a removed backup has none', async () => {
    const what = aPackedBackup()
    await send(what, store())
    await world.catchUp()
    await removeFromStore(world.late, what.backup.id)
    expect(await listed()).toEqual([])
    expect(await findThere(what.backup, store(), context)).toBeUndefined()
  })

  it('keeps from the sweep what is sent anew, though it lists what was there long ago', async () => {
    const key = `${keysOf.backup('20240101T000000Z').top}snapshot.squashfs`
    await world.late.put(key, Buffer.from('of a killed upload'))
    const longAgo = new Date(Date.now() - 90_000_000)
    utimesSync(join(directory, key), longAgo, longAgo)
    await world.catchUp()
    const sweep = () =>
      sweepStore(world.late, aContext({ now: () => new Date() }), { listed: new Set(), dryRun: false })
    await world.late.put(key, Buffer.from('of the next one'))
    expect((await sweep()).ids).toEqual([])
    utimesSync(join(directory, key), longAgo, longAgo)
    expect((await sweep()).ids).toEqual(['20240101T000000Z'])
  })
})
