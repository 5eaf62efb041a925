import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import type { Settings } from '../../../src/config/load.js'
import { parseConfig } from '../../../src/config/schema.js'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { storePlace } from '../../../src/place/store/store-place.js'
import { pruneOpened } from '../../../src/removal/in-store/prune-store.js'
import { aContext } from '../../catalog/samples.js'
import { alice } from '../../encryption/samples.js'
import { aLateStore } from '../../helpers/late-store.js'
import { aDirectory } from '../../helpers/places.js'
import { aStoredBackup } from '../../upload/stored.js'

const [first, second, newest] = ['20261001T030000Z', '20261110T030000Z', '20261120T030000Z']

describe.each([
  ['in clear', []],
  ['encrypted', [alice.recipient]],
])('a prune of a store that lists late, %s', (_how, recipients) => {
  let near: string
  let world: Awaited<ReturnType<typeof aLateStore>>
  const context = aContext({ now: () => new Date('2026-11-20T12:00:00Z') })
  const stores = { near: { url: '/nowhere', retention: { daily: 1, monthly: 12 } } }
  const settings = { ...parseConfig({ stores }).value, root: '/nowhere' } as Settings
  beforeEach(async () => {
    near = aDirectory()
    lay(first, 3)
    lay(second, 4)
    world = await aLateStore(directoryStore(near, context))
  })

  /** A backup with its first segment. */
  function lay(id: string, segment: number): void {
    const started_at = id.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
    const lsns = { start_lsn: `0/${segment}000028`, checkpoint_lsn: `0/${segment}000060` }
    const changes = { started_at, finished_at: started_at, kind: 'scheduled', ...lsns } as const
    aStoredBackup(near, id, { changes: { ...changes, stop_lsn: `0/${segment}000100` }, recipients })
    receive(id, segment)
  }
  const ending = recipients.length > 0 ? '.age' : ''
  const fileOf = (segment: number, form = '.gz') => `00000001000000000000000${segment}${form}${ending}`
  const walFile = (id: string, file: string) => join(near, 'data/backup', id, 'wal', file)
  const receive = (id: string, segment: number, form?: string) =>
    writeFileSync(walFile(id, fileOf(segment, form)), '')
  const walOf = (id: string) => readdirSync(join(near, 'data/backup', id, 'wal')).sort()
  const there = () =>
    readdirSync(join(near, 'data/backup')).filter((id) =>
      existsSync(join(near, 'data/backup', id, 'backup.json')),
    )
  const prune = async () => {
    const place = storePlace(world.late, context)
    const { pruned } = await pruneOpened(
      { objects: world.late, place },
      'near',
      { yes: true },
      {
        settings,
        context,
      },
    )
    return pruned.map(({ backup }) => backup.id)
  }

  it('keeps what an old list shows as the newest, and a second one removes it', async () => {
    lay(newest, 5)
    expect(await prune()).toEqual([])
    expect(there()).toEqual([first, second, newest])
    await world.catchUp()
    expect(await prune()).toEqual([second])
    expect(there()).toEqual([first, newest])
    expect(walOf(first)).toEqual([3, 4].map((segment) => fileOf(segment)))
  })

  it('loses no WAL that came after its list, whether that shows some of it or none', async () => {
    lay(newest, 8)
    await world.catchUp()
    for (const segment of [5, 6, 7]) receive(second, segment)
    expect(await prune()).toEqual([second])
    expect(walOf(first)).toEqual([3, 4, 5, 6, 7].map((segment) => fileOf(segment)))
  })

  it('takes a segment that its list shows as not finished as it is by now', async () => {
    lay(newest, 8)
    receive(second, 5, '.partial')
    await world.catchUp()
    for (const segment of [5, 6]) receive(second, segment)
    rmSync(walFile(second, fileOf(5, '.partial')))
    receive(second, 7, '.partial')
    expect(await prune()).toEqual([second])
    expect(walOf(first)).toEqual([...[3, 4, 5, 6].map((segment) => fileOf(segment)), fileOf(7, '.partial')])
  })

  it.each(['a link in the place of its wal', 'a directory in the place of the file'])(
    'keeps a backup whose WAL an older one cannot get, for %s, and removes the others',
    async (odd) => {
      lay('20261112T030000Z', 5)
      lay(newest, 8)
      await world.catchUp()
      rmSync(walFile(first, ''), { recursive: true })
      if (odd.startsWith('a link')) symlinkSync('/nowhere', walFile(first, ''))
      else mkdirSync(walFile(first, fileOf(4)), { recursive: true })
      expect(await prune()).toEqual(['20261112T030000Z'])
      expect(there()).toEqual([first, second, newest])
    },
  )

  it('takes the history of a timeline that its list lacks, and no link in the place of WAL', async () => {
    lay(newest, 8)
    writeFileSync(walFile(second, `000000020000000000000005.gz${ending}`), '')
    await world.catchUp()
    writeFileSync(walFile(second, `00000002.history${ending}`), '')
    symlinkSync('/nowhere', walFile(second, fileOf(5)))
    expect(await prune()).toEqual([second])
    expect(walOf(first)).toEqual(
      [fileOf(3), fileOf(4), `000000020000000000000005.gz${ending}`, `00000002.history${ending}`].sort(),
    )
  })
})
