import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { list as listTar } from 'tar'
import type { StoredBackup } from '../../src/catalog/backup.js'
import type { Partial as PartialDirectory } from '../../src/catalog/partial.js'
import type { Context } from '../../src/context.js'
import { PgbkError } from '../../src/errors.js'
import { openFileWriter } from '../../src/place/contract/file-writer.js'
import type { Place, Staged, WritablePlace } from '../../src/place/contract/place.js'
import { decryptingPlace } from '../../src/place/encrypted/decrypting-place.js'
import { localPlace } from '../../src/place/local-place.js'
import { sshPlace } from '../../src/place/ssh/ssh-place.js'
import { directoryStore } from '../../src/place/store/directory-store.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { sshStore } from '../../src/place/store/ssh/ssh-store.js'
import { storePlace } from '../../src/place/store/store-place.js'
import type { BytePath } from '../../src/system/paths/byte-path.js'
import { aContext, anEmptyRoot, aRecord, asOrdinaryUser, patient, thrownBy } from '../catalog/samples.js'
import { alice } from '../encryption/samples.js'
import { encryptedMemoryPlace } from '../helpers/encrypted-place.js'
import { memoryPlace, type StagedInMemory } from '../helpers/memory-place.js'
import { needs } from '../helpers/needs.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anS3Server, type S3Server } from '../helpers/s3.js'
import { anSshHost, type SshHost } from '../helpers/ssh.js'
import { writtenByTests } from '../helpers/store-world.js'

/** What is made for reading. */
type Made<S extends Staged> = Pick<WritablePlace<StoredBackup, S>, 'list' | 'stage' | 'publish' | 'remove'>

interface World<S extends Staged, W extends Made<S> = WritablePlace<StoredBackup, S>> {
  /** What is looked at. */
  place: Place
  /** The same one, to write to; for a place that is only read, where its backups are made. */
  writable: W
  put(staged: S, name: string, text: string): void
}

const context = aContext()
const names = (...all: string[]) => all as BytePath[]
const label = names('snapshot/data/backup_label')
const [small = '', deep = '', wal = ''] = names(
  'snapshot/README',
  'snapshot/data/base/1/2',
  'wal/00000002.history',
)
const contents = {
  [small]: 'read me',
  [deep]: 'x'.repeat(100_000),
  [wal]: '1\t0/5000000\n',
  [label[0] ?? '']: '',
}
const newest = new Date('2026-11-21T03:00:00Z')
const oldest = new Date('2026-11-20T03:00:00Z')

const inDirectory = ({ layout }: PartialDirectory, name: string, text: string) => {
  const path = join(layout.directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** The ordinary user may write there, also where root runs the tests. */
function anOpenRoot(): string {
  const { root } = anEmptyRoot()
  for (const path of ['', 'data', 'data/backup']) chmodSync(join(root, path), 0o777)
  return root
}

function aLocalWorld(): World<PartialDirectory> {
  const place = localPlace(anOpenRoot(), context)
  return { place, writable: place, put: inDirectory }
}

function aMemoryWorld(): World<StagedInMemory> {
  const place = memoryPlace()
  const put = ({ files }: StagedInMemory, name: string, text: string) => {
    files.set(name as BytePath, Buffer.from(text))
  }
  return { place, writable: place, put }
}

function aStoreWorld(store: ObjectStore): World<StagedInMemory, Made<StagedInMemory>> {
  const place = storePlace(store, context)
  return { ...aMemoryWorld(), place, writable: writtenByTests(store, place) }
}

function anSshWorld(host: SshHost): World<PartialDirectory> {
  const root = anOpenRoot()
  const there: Context = aContext({
    env: { ...process.env, ...host.env } as Record<string, string>,
    ...patient,
  })
  const place = sshPlace(`test:${root}`, host.host, root, there)
  return { place, writable: localPlace(root, context), put: inDirectory }
}

describe('a root of this machine', () => {
  isRead(aLocalWorld)
  isWritten(aLocalWorld)
})
describe('a place in memory', () => {
  isRead(aMemoryWorld)
  isWritten(aMemoryWorld)
})
describe('a place with encrypted backups', () =>
  isRead((): World<StagedInMemory> => {
    const writable = encryptedMemoryPlace()
    const place = decryptingPlace(writable, aContext({ identities: async () => [alice] }))
    return { ...aMemoryWorld(), place, writable }
  }))
describe('a place whose backups might be encrypted', () =>
  isRead(() => {
    const world = aLocalWorld()
    return { ...world, place: decryptingPlace(world.place, context) }
  }))
describe('a store in a directory', () => isRead(() => aStoreWorld(directoryStore(aDirectory(), context))))
needs('an S3 server').describe('a store in S3', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await anS3Server()
  })
  isRead(async () => {
    const bucket = { bucket: await server.aBucket(), prefix: '' }
    const store = await s3Store(bucket, {}, aContext({ env: server.env, ...patient }))
    atEnd(() => store.close())
    return aStoreWorld(store)
  })
})
needs('program sshd').describe('over ssh', () => {
  let host: SshHost
  beforeAll(async () => {
    host = await anSshHost()
  })
  describe('a root', () => isRead(() => anSshWorld(host)))
  describe('a store', () =>
    isRead(() => {
      const there = aContext({ env: { ...process.env, ...host.env } as Record<string, string>, ...patient })
      return aStoreWorld(sshStore({ host: host.host, directory: aDirectory() }, there, 'test'))
    }))
})

async function make<S extends Staged>({ writable, put }: World<S, Made<S>>, at: Date): Promise<StoredBackup> {
  return asOrdinaryUser(async () => {
    const staged = await writable.stage(at, {})
    for (const [name, text] of Object.entries(contents)) put(staged, name, text)
    return writable.publish(staged, recordOf(staged.id), async () => {})
  })
}

const recordOf = (id: string) => JSON.stringify(aRecord({ id }))

async function textFrom(
  place: Place,
  backup: StoredBackup,
  name: string,
  from: number,
  length?: number,
): Promise<string> {
  return place.read(
    backup,
    name as BytePath,
    { from, ...(length !== undefined && { length }) },
    async (bytes) => {
      const all: Buffer[] = []
      for await (const piece of bytes) all.push(piece)
      return String(Buffer.concat(all))
    },
  )
}

/** What everybody can rely on who reads from a place. */
function isRead<S extends Staged>(aWorld: () => World<S, Made<S>> | Promise<World<S, Made<S>>>): void {
  let world: World<S, Made<S>>
  let place: Place
  beforeEach(async () => {
    world = await aWorld()
    place = world.place
  })
  const one = async (): Promise<StoredBackup> => {
    await make(world, oldest)
    return (await place.list()).backups[0] as StoredBackup
  }

  it('has no backups at first', async () => {
    expect(await place.list()).toMatchObject({ backups: [], rejected: [] })
  })

  it('lists its backups as plain data, the newest first, and says where each is', async () => {
    await make(world, oldest)
    await make(world, newest)
    const { backups } = await place.list()
    expect(backups.map(({ id, state }) => [id, state])).toEqual([
      ['20261121T030000Z', 'whole'],
      ['20261120T030000Z', 'whole'],
    ])
    for (const backup of backups) {
      expect({ ...backup }).toEqual(backup)
      expect(place.locationOf(backup.id)).toMatch(new RegExp(`/data/backup/${backup.id}$`))
    }
  })

  it('gives the bytes of a record', async () => {
    const backup = await one()
    expect(String(await place.readRecord(backup))).toBe(recordOf(backup.id))
  })

  it('names the files of a backup, but neither its record nor markers', async () => {
    const { files, directories } = await place.files(await one())
    expect(files.sort()).toEqual(Object.keys(contents).sort())
    expect(directories).toContain('snapshot/data/base')
  })

  it('reads a file from its start, its middle and its end on, and nothing from behind that', async () => {
    const backup = await one()
    for (const from of [0, 70_000, 100_000, 100_001]) {
      const rest = 'x'.repeat(Math.max(0, 100_000 - from))
      expect(await textFrom(place, backup, deep, from, 7)).toBe(rest.slice(0, 7))
      expect(await textFrom(place, backup, deep, from)).toBe(rest)
    }
  })

  it('has nothing to read where there is no such file', async () => {
    const backup = await one()
    expect(await thrownBy(() => textFrom(place, backup, 'wal/none', 0))).toMatchObject({ code: 'not-found' })
    // Of what takes it, a failure stays that.
    const missing = () => place.read(backup, small as BytePath, { from: 0 }, () => readFile('/nonexistent'))
    expect(await thrownBy(missing)).toMatchObject({ code: 'ENOENT' })
  })

  it('sends files, but for those that are gone', async () => {
    const target = aDirectory()
    mkdirSync(join(target, 'snapshot/data/base/1'), { recursive: true })
    mkdirSync(join(target, 'wal'))
    const writer = openFileWriter(
      target,
      () => {},
      () => 1 << 20,
    )
    await place.transfer(await one(), names(deep, 'wal/none', small), writer)
    await writer.flushed()
    expect([...writer.names].sort()).toEqual([small, deep].sort())
    for (const name of [small, deep]) expect(readFileSync(join(target, name), 'utf8')).toBe(contents[name])
    expect(readdirSync(join(target, 'wal'))).toEqual([])
  })

  it('makes a tar of it, the record last', async () => {
    const backup = await one()
    const file = join(aDirectory(), 'a.tar')
    const listing = await place.files(backup)
    await place.archive(backup, listing, async (tar) => {
      const all: Buffer[] = []
      for await (const piece of tar) all.push(piece)
      writeFileSync(file, Buffer.concat(all))
    })
    const entries: string[] = []
    await listTar({ file, onReadEntry: ({ path }) => void entries.push(path.replace(/\/$/, '')) })
    const top = `data/backup/${backup.id}`
    expect(entries.at(-1)).toBe(`${top}/backup.json`)
    expect(entries).toEqual(expect.arrayContaining(Object.keys(contents).map((name) => `${top}/${name}`)))
  })

  it('says of a backup that was removed meanwhile that it is gone', async () => {
    const backup = await one()
    await asOrdinaryUser(async () => {
      const [there] = (await world.writable.list()).backups
      await world.writable.remove(there as StoredBackup)
    })
    expect((await place.list()).backups).toEqual([])
    expect(await thrownBy(() => place.files(backup))).toMatchObject({ code: 'not-found' })
    expect(await thrownBy(() => textFrom(place, backup, small, 0))).toMatchObject({ code: 'not-found' })
  })
}

/** What everybody can rely on who writes to one. */
function isWritten<S extends Staged>(aWorld: () => World<S>): void {
  let world: World<S>
  let place: World<S>['writable']
  beforeEach(() => {
    world = aWorld()
    place = world.writable
  })
  const ids = async () => (await place.list()).backups.map(({ id }) => id)
  const id = '20261120T030000Z'
  const noCheck = async () => {}

  it('lists a backup from its publication on', async () => {
    const staged = await place.stage(oldest, { made_by: 'create' })
    world.put(staged, small, 'read me')
    expect(await ids()).toEqual([])
    expect(await place.publish(staged, recordOf(staged.id), noCheck)).toMatchObject({ id, state: 'whole' })
    expect(await ids()).toEqual([id])
  })

  it('gives one that starts in the same second the next id', async () => {
    const staged = [await place.stage(oldest, {}), await place.stage(oldest, {})]
    expect(staged.map((one) => one.id)).toEqual([id, '20261120T030001Z'])
  })

  it('lists nothing when publishing is no longer allowed', async () => {
    const staged = await place.stage(oldest, {})
    const lost = () => Promise.reject(new PgbkError('lock-lost', 'lost'))
    const publish = () => place.publish(staged, recordOf(staged.id), lost)
    expect(await thrownBy(publish)).toMatchObject({ code: 'lock-lost' })
    expect(await ids()).toEqual([])
  })

  it('forgets what is discarded, also when that is done twice', async () => {
    const staged = await place.stage(oldest, {})
    world.put(staged, small, 'read me')
    await place.discard(staged)
    await place.discard(staged)
    expect(await ids()).toEqual([])
    expect((await place.stage(oldest, {})).id).toBe(id)
  })

  it('no longer lists a backup before its files go, nor when what comes last fails', async () => {
    await make(world, oldest)
    await make(world, newest)
    const [second, first] = (await place.list()).backups as [StoredBackup, StoredBackup]
    const seen: string[][] = []
    await place.remove(first, async () => void seen.push(await ids()))
    expect([seen, await ids()]).toEqual([[[second.id]], [second.id]])
    const fails = () => place.remove(second, () => Promise.reject(new PgbkError('failed', 'no')))
    expect(await thrownBy(fails)).toMatchObject({ code: 'failed' })
    expect(await ids()).toEqual([])
  })

  it('gives a lease to one at a time, in turn to those who wait', async () => {
    const seen: string[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let begun = () => {}
    const isHeld = new Promise<void>((resolve) => {
      begun = resolve
    })
    const options = { purpose: 'delete', wait: true }
    const first = place.lease('catalog', options, context, async (_guarded, { check }) => {
      await check()
      begun()
      await held
      seen.push('first')
    })
    await isHeld
    const second = place.lease('catalog', options, context, async () => void seen.push('second'))
    const other = { purpose: 'prune' }
    expect(await thrownBy(() => place.lease('catalog', other, context, noCheck))).toMatchObject({
      code: 'locked',
      message: expect.stringContaining('delete'),
    })
    expect(await place.lease('create', other, context, async () => 'another kind')).toBe('another kind')
    release()
    await Promise.all([first, second])
    expect(seen).toEqual(['first', 'second'])
  })

  it('takes a lease back from work that fails', async () => {
    const fails = () =>
      place.lease('catalog', { purpose: 'delete' }, context, () =>
        Promise.reject(new PgbkError('failed', 'no')),
      )
    expect(await thrownBy(fails)).toMatchObject({ code: 'failed' })
    expect(await place.lease('catalog', { purpose: 'delete' }, context, async () => 1)).toBe(1)
  })
}
