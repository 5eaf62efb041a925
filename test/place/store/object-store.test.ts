import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { sharedConnection } from '../../../src/place/ssh/shared-connection.js'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import type { ObjectStore, Sendable } from '../../../src/place/store/object-store.js'
import { s3Store } from '../../../src/place/store/s3/s3-store.js'
import { sshStore } from '../../../src/place/store/ssh/ssh-store.js'
import { aContext, patient, thrownBy } from '../../catalog/samples.js'
import { needs } from '../../helpers/needs.js'
import { aDirectory, atEnd } from '../../helpers/places.js'
import { anS3Server, type S3Server } from '../../helpers/s3.js'
import { anSshHost, type SshHost } from '../../helpers/ssh.js'
import { aSwiftServer } from '../../helpers/swift.js'

describe('a store in a directory', () => {
  keepsTheContract(() => directoryStore(aDirectory(), aContext()))

  it('follows no link below its root, and takes nothing but files', async () => {
    const root = aDirectory()
    const elsewhere = aDirectory()
    writeFileSync(join(elsewhere, 'secret'), 'secret')
    symlinkSync(elsewhere, join(root, 'd'))
    symlinkSync(join(elsewhere, 'secret'), join(root, 'f'))
    const store = directoryStore(root, aContext())
    for (const key of ['d/secret', 'f', '../x', '/etc/passwd', 'a//b']) {
      expect(await thrownBy(() => textOf(store, key))).toMatchObject({ code: 'damaged' })
    }
    expect(await thrownBy(() => store.put('d/new', Buffer.from('x')))).toMatchObject({ code: 'damaged' })
    expect(await thrownBy(() => store.remove(['d/secret']))).toMatchObject({ code: 'damaged' })
    expect(readdirSync(elsewhere)).toEqual(['secret'])
    expect(await keysIn(store, '')).toEqual([])
  })

  it('makes what is its owner’s alone, and leaves no empty directories behind', async () => {
    const root = aDirectory()
    const store = directoryStore(root, aContext())
    await store.put('a/b/c', Buffer.from('x'))
    await store.send('a/b/d', bytesOf(Buffer.from('y')), () => {})
    for (const [name, mode] of [
      ['a', 0o700],
      ['a/b/c', 0o600],
      ['a/b/d', 0o600],
    ] as const)
      expect(statSync(join(root, name)).mode & 0o777).toBe(mode)
    await store.remove(['a/b/c', 'a/b/d'])
    expect(readdirSync(root)).toEqual([])
  })

  it('is never made where a disk may not be mounted', async () => {
    const missing = join(aDirectory(), 'mnt')
    const store = directoryStore(missing, aContext())
    for (const work of [
      () => store.put('a', Buffer.from('x')),
      () => store.directoriesIn('data/'),
      () => keysIn(store, 'data/'),
    ])
      expect(await thrownBy(work)).toMatchObject({ code: 'not-found' })
    expect(existsSync(missing)).toBe(false)
  })

  it('goes on with what an interrupted send has left, as far as that is the same', async () => {
    const root = aDirectory()
    const store = directoryStore(root, aContext())
    const bytes = randomBytes(300_000)
    mkdirSync(join(root, 'a'))
    writeFileSync(
      join(root, 'a/.pgbk-image.part'),
      Buffer.concat([bytes.subarray(0, 150_000), Buffer.alloc(9)]),
    )
    const asked: number[] = []
    const source = bytesOf(bytes, (from) => asked.push(from))
    await store.send('a/image', source, () => {})
    expect(await bytesIn(store, 'a/image')).toEqual(bytes)
    expect(asked).toHaveLength(2)
    expect(asked[1]).toBeGreaterThan(100_000)
    expect(readdirSync(join(root, 'a'))).toEqual(['image'])
  })
})

needs('an S3 server').describe('a store in S3', () => inS3(anS3Server))

needs('a second S3 server').describe('a store in another S3', () => inS3(aSwiftServer))

function inS3(start: () => Promise<S3Server>): void {
  let server: S3Server
  beforeAll(async () => {
    server = await start()
  })
  keepsTheContract(async () =>
    s3Store(
      { bucket: await server.aBucket(), prefix: 'some/prefix/' },
      {},
      aContext({ env: server.env, ...patient }),
    ),
  )
}

needs('program sshd').describe('a store behind ssh', () => {
  let host: SshHost
  beforeAll(async () => {
    host = await anSshHost()
  })
  const aStore = (root: string) => {
    const env = { ...process.env, ...host.env } as Record<string, string>
    const context = aContext({ env, atEnd, ...patient })
    const where = { host: host.host, directory: root }
    return sshStore(where, context, `test:${root}`, sharedConnection(context))
  }
  keepsTheContract(() => aStore(aDirectory()))

  it('takes what it may not look at for no absence, and puts nothing into a directory or through a link', async () => {
    const [root, elsewhere] = [aDirectory(), aDirectory()]
    const store = aStore(root)
    await store.put('a/b/x', Buffer.from('x'))
    expect(await store.stat('a/b/c/x')).toBeUndefined()
    expect(await store.stat('a/b')).toBeUndefined()
    expect(await thrownBy(() => store.stat('a/b/x/y'))).toMatchObject({ code: 'damaged' })
    chmodSync(join(root, 'a/b'), 0o000)
    for (const look of [
      () => store.stat('a/b/x'),
      () => keysIn(store, 'a/'),
      () => store.directoriesIn('a/b/'),
    ])
      expect(await thrownBy(look)).toMatchObject({
        code: 'failed',
        message: expect.stringContaining('ermission denied'),
      })
    chmodSync(join(root, 'a/b'), 0o777)
    for (const [name, target] of [
      ['a/b/d', elsewhere],
      ['a/b/.pgbk-e.part', join(elsewhere, 'made')],
    ] as const)
      symlinkSync(target, join(root, name))
    const bytes = bytesOf(Buffer.from('y'))
    expect(await thrownBy(() => store.put('a/b/d', Buffer.from('y')))).toMatchObject({ code: 'damaged' })
    expect(await thrownBy(() => store.send('a/b/d', bytes, () => {}))).toMatchObject({ code: 'damaged' })
    await store.send('a/b/e', bytes, () => {})
    expect((await bytesIn(store, 'a/b/e')).toString()).toBe('y')
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('follows no link below its root, goes on with what was left, and leaves nothing behind', async () => {
    const root = aDirectory()
    const elsewhere = aDirectory()
    writeFileSync(join(elsewhere, 'secret'), 'secret', { mode: 0o644 })
    symlinkSync(elsewhere, join(root, 'd'))
    symlinkSync(join(elsewhere, 'secret'), join(root, 'f'))
    const store = aStore(root)
    for (const key of ['d/secret', 'f', '../x'])
      expect(await thrownBy(() => textOf(store, key))).toMatchObject({ code: 'damaged' })
    expect(await thrownBy(() => store.put('d/new', Buffer.from('x')))).toMatchObject({ code: 'damaged' })
    expect(await thrownBy(() => store.remove(['d/secret']))).toMatchObject({ code: 'failed' })
    expect(readdirSync(elsewhere)).toEqual(['secret'])
    const bytes = randomBytes(300_000)
    await store.put('a/b/other', Buffer.from('x'))
    writeFileSync(join(root, 'a/b/.pgbk-image.part'), bytes.subarray(0, 150_000), { mode: 0o666 })
    chmodSync(join(root, 'a/b/.pgbk-image.part'), 0o666)
    const asked: number[] = []
    await store.send(
      'a/b/image',
      bytesOf(bytes, (from) => asked.push(from)),
      () => {},
    )
    expect(asked).toEqual([0, 150_000])
    expect((await bytesIn(store, 'a/b/image')).equals(bytes)).toBe(true)
    expect(readdirSync(join(root, 'a/b')).sort()).toEqual(['image', 'other'])
    await store.remove(['a/b/image', 'a/b/other'])
    expect(existsSync(join(root, 'a'))).toBe(false)
  })
})

/** Pieces of 50,000 bytes. */
function bytesOf(bytes: Buffer, onRead: (from: number) => void = () => {}): Sendable {
  return {
    bytes: bytes.length,
    async *read(from, length) {
      onRead(from)
      for (let at = from; at < from + length; at += 50_000)
        yield bytes.subarray(at, Math.min(at + 50_000, from + length))
    },
  }
}

async function bytesIn(store: ObjectStore, key: string, from = 0, length?: number): Promise<Buffer> {
  return store.read(key, { from, ...(length !== undefined && { length }) }, async (pieces) => {
    const all: Buffer[] = []
    for await (const piece of pieces) all.push(piece)
    return Buffer.concat(all)
  })
}

async function textOf(...args: Parameters<typeof bytesIn>): Promise<string> {
  return (await bytesIn(...args)).toString()
}

async function keysIn(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys.sort()
}

/** What everybody can rely on who has a store. */
function keepsTheContract(aStore: () => ObjectStore | Promise<ObjectStore>): void {
  let store: ObjectStore
  beforeEach(async () => {
    store = await aStore()
  })
  afterEach(() => store.close())

  it('has nothing at first', async () => {
    expect(await keysIn(store, '')).toEqual([])
    expect(await store.directoriesIn('data/backup/')).toEqual([])
    expect(await store.stat('a')).toBeUndefined()
    expect(await thrownBy(() => textOf(store, 'a'))).toMatchObject({ code: 'not-found' })
    expect(await store.remove(['a', 'b/c'])).toEqual([])
  })

  it('puts, says what there is, and reads it', async () => {
    const before = Date.now()
    expect(await store.put('data/backup/x/backup.json', Buffer.from('{}'))).toBe(true)
    const found = await store.stat('data/backup/x/backup.json')
    expect(found).toMatchObject({ key: 'data/backup/x/backup.json', bytes: 2 })
    expect(Math.abs((found?.changedAt.getTime() ?? 0) - before)).toBeLessThan(3_600_000)
    expect(await textOf(store, 'data/backup/x/backup.json')).toBe('{}')
    expect(await store.stat('data/backup/x')).toBeUndefined()
    expect(store.locationOf('data/backup/x')).toMatch(/data\/backup\/x$/)
  })

  it('puts another content in the place of one, unless it is only to be put where there is none', async () => {
    expect(await store.put('a', Buffer.from('one'), true)).toBe(true)
    const first = await store.stat('a')
    expect(await store.put('a', Buffer.from('two'), true)).toBe(false)
    expect(await textOf(store, 'a')).toBe('one')
    expect(await store.put('a', Buffer.from('three'))).toBe(true)
    expect(await textOf(store, 'a')).toBe('three')
    if (first?.tag !== undefined) expect((await store.stat('a'))?.tag).not.toBe(first.tag)
  })

  it('lists by the beginning of keys, and names the directories right below', async () => {
    const keys = [
      'data/backup/1/backup.json',
      'data/backup/1/wal/1',
      'data/backup/12',
      'data/backup/2/README',
      'data/x y+%ü&<',
    ]
    for (const key of keys) await store.put(key, Buffer.from(key))
    expect(await keysIn(store, '')).toEqual([...keys].sort())
    expect(await keysIn(store, 'data/backup/1')).toEqual(keys.slice(0, 3))
    expect(await keysIn(store, 'data/backup/1/')).toEqual(keys.slice(0, 2))
    expect((await store.directoriesIn('data/backup/')).sort()).toEqual(['1', '2'])
    expect(await store.directoriesIn('data/backup/1/')).toEqual(['wal'])
    for await (const { key, bytes } of store.list('data/')) expect(bytes).toBe(Buffer.byteLength(key))
    expect(await textOf(store, 'data/x y+%ü&<')).toBe('data/x y+%ü&<')
  })

  it.each([
    ['from the start', 0, 10],
    ['from its middle', 70_000, 10],
    ['beyond its end', 99_995, 10],
    ['behind its end', 100_001, 10],
    ['at its end, to the end', 100_000, undefined],
    ['to its end', 99_000, undefined],
    ['none of them', 5, 0],
  ] as const)('reads bytes %s', async (_where, from, length) => {
    const bytes = randomBytes(100_000)
    await store.put('file', bytes)
    const wanted = bytes.subarray(from, length === undefined ? undefined : from + length)
    expect(await bytesIn(store, 'file', from, length)).toEqual(wanted)
  })

  it('throws on what the reader throws, and what it leaves unread holds nobody up', async () => {
    await store.put('file', randomBytes(3_000_000))
    const fails = () => store.read('file', { from: 0 }, () => Promise.reject(new TypeError('mine')))
    expect(await thrownBy(fails)).toMatchObject({ message: 'mine' })
    const first = await store.read('file', { from: 0 }, async (pieces) => {
      for await (const piece of pieces) return piece.length
      return 0
    })
    expect(first).toBeGreaterThan(0)
  })

  it.each([0, 1, 7_000_000, 23_456_789])('sends %i bytes, and tells of them', async (size) => {
    const bytes = randomBytes(size)
    let told = 0
    const sent = await store.send('data/image', bytesOf(bytes), (some) => {
      told += some
    })
    expect(sent).toMatchObject({ key: 'data/image', bytes: size })
    expect(told).toBe(size)
    expect((await bytesIn(store, 'data/image')).equals(bytes)).toBe(true)
  })

  it('has nothing of what could not be sent', async () => {
    const broken: Sendable = {
      bytes: 20_000_000,
      async *read(from) {
        if (from > 0) throw new TypeError('the disk is gone')
        yield randomBytes(1000)
        throw new TypeError('the disk is gone')
      },
    }
    expect(await thrownBy(() => store.send('image', broken, () => {}))).toMatchObject({
      message: 'the disk is gone',
    })
    expect(await keysIn(store, '')).toEqual([])
    expect(await store.stat('image')).toBeUndefined()
  })

  it('tells of what an interrupted send has left, and removes that alone', async () => {
    const broken: Sendable = {
      bytes: 40_000_000,
      async *read(from) {
        if (from > 20_000_000) throw new TypeError('the disk is gone')
        yield randomBytes(1000)
        throw new TypeError('the disk is gone')
      },
    }
    await store.put('data/1/image', Buffer.from('whole'))
    for (const key of ['data/1/image', 'data/2/image'])
      await thrownBy(() => store.send(key, broken, () => {}))
    const left = async (prefix: string) => {
      const keys = new Set<string>()
      for await (const { key, changedAt } of store.unfinished(prefix)) {
        expect(Math.abs(changedAt.getTime() - Date.now())).toBeLessThan(3_600_000)
        keys.add(key)
      }
      return [...keys].sort()
    }
    expect(await left('data/')).toEqual(['data/1/image', 'data/2/image'])
    expect(await left('data/2/')).toEqual(['data/2/image'])
    await store.discard(['data/1/image'])
    expect(await left('data/')).toEqual(['data/2/image'])
    expect(await textOf(store, 'data/1/image')).toBe('whole')
    await store.remove(['data/2/image'])
    expect(await left('data/')).toEqual([])
    expect(await keysIn(store, '')).toEqual(['data/1/image'])
  })

  it('refuses what is shorter than it was said to be', async () => {
    const short = { ...bytesOf(Buffer.alloc(1000)), bytes: 2000 }
    expect(await thrownBy(() => store.send('image', short, () => {}))).toMatchObject({ code: 'failed' })
    expect(await keysIn(store, '')).toEqual([])
  })

  it('removes what is there of many', async () => {
    const keys = Array.from({ length: 30 }, (_, index) => `data/wal/${index}`)
    for (const key of keys) await store.put(key, Buffer.from('x'))
    expect(await store.remove([...keys.slice(0, 29), 'data/none'])).toEqual([])
    expect(await keysIn(store, '')).toEqual(['data/wal/29'])
    expect(await store.directoriesIn('data/')).toEqual(['wal'])
    await store.remove(keys)
    expect(await store.directoriesIn('')).toEqual([])
    await store.close()
  })
}
