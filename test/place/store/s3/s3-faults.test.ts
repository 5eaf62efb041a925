import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, expect, it, jest } from '@jest/globals'
import type { ObjectStore, Sendable } from '../../../../src/place/store/object-store.js'
import type { S3Settings } from '../../../../src/place/store/s3/s3-settings.js'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { randomNumbers, roundsOf } from '../../../helpers/chance.js'
import { needs } from '../../../helpers/needs.js'
import { atEnd } from '../../../helpers/places.js'
import { anS3Server, type S3Server } from '../../../helpers/s3.js'
import { faultsBefore, type S3Fault } from '../../../helpers/s3-faults.js'
import { type Certificates, certificates } from '../../../helpers/tls.js'

const { describe } = needs('an S3 server', 'program openssl')

const part = 5 << 20
/** Two parts: none but the last may be smaller. */
const bytes = randomBytes(part + 1000)
const whole = sendable(bytes)

let server: S3Server
beforeAll(async () => {
  server = await anS3Server()
})

interface World {
  store: ObjectStore
  /** The same, without faults. */
  plain: ObjectStore
  bucket: string
  asked: string[]
}

/** @param choose what goes wrong, by the number of the request. */
async function aWorld(
  choose: (what: { method: string; url: string }, index: number) => S3Fault | undefined,
  settings: S3Settings = {},
  certificate?: Certificates,
): Promise<World> {
  const bucket = await server.aBucket()
  const asked: string[] = []
  const counted = (what: { method: string; url: string }) => {
    asked.push(`${what.method} ${what.url}`)
    return choose(what, asked.length - 1)
  }
  const endpoint = await faultsBefore(server.endpoint, counted, certificate && tlsOf(certificate))
  const open = async (env: Record<string, string>) => {
    const store = await s3Store({ bucket, prefix: '' }, { part_size: part, ...settings }, aContext({ env }))
    atEnd(() => store.close())
    return store
  }
  return {
    store: await open({
      ...server.env,
      AWS_ENDPOINT_URL: endpoint,
      ...(certificate && { AWS_CA_BUNDLE: certificate.authority }),
    }),
    plain: await open(server.env),
    bucket,
    asked,
  }
}

function tlsOf({ settings: { ssl_key_file = '', ssl_cert_file = '' } }: Certificates) {
  return { key: readFileSync(ssl_key_file), cert: readFileSync(ssl_cert_file) }
}

/** Once, with the first request of its kind. */
function once(method: string, fault: S3Fault) {
  let isDone = false
  return (what: { method: string }) => {
    if (isDone || what.method !== method) return undefined
    isDone = true
    return fault
  }
}

async function bytesIn(store: ObjectStore, key: string, from = 0, length?: number): Promise<Buffer> {
  return store.read(key, { from, ...(length !== undefined && { length }) }, async (pieces) => {
    const all: Buffer[] = []
    for await (const piece of pieces) all.push(piece)
    return Buffer.concat(all)
  })
}

const passing: S3Fault[] = ['reset', 'unheard', 'twice', '500', 'slow-down', 'stall', 'expired']

describe('a store in S3 that has a bad day', () => {
  it.each(passing)('is sent to, once more after: %s', async (fault) => {
    const { store, plain } = await aWorld(once('PUT', fault))
    const sent = await store.send('image', whole, () => {})
    expect(sent).toMatchObject({ bytes: bytes.length, tag: expect.stringMatching(/-2$/) })
    expect((await bytesIn(plain, 'image')).equals(bytes)).toBe(true)
  })

  it.each(['reset', '500', 'stall', 'expired'] as const)(
    'is sent to through TLS, without signing all bytes, once more after: %s',
    async (fault) => {
      let [count, read] = [0, 0]
      const warn = jest.spyOn(console, 'warn')
      const choose = ({ url }: { url: string }) =>
        /partNumber/.test(url) && ++count === 2 ? fault : undefined
      const { store, plain } = await aWorld(choose, {}, await certificates())
      const counted: Sendable = {
        bytes: whole.bytes,
        async *read(from, length) {
          read += length
          yield* whole.read(from, length)
        },
      }
      await store.send('image', counted, () => {})
      expect((await bytesIn(plain, 'image')).equals(bytes)).toBe(true)
      expect([count, read]).toEqual([3, bytes.length])
      expect(warn).not.toHaveBeenCalled()
    },
  )

  it.each(['reset', 'unheard', 'twice', '500'] as const)(
    'has the object when the end of an upload meets: %s',
    async (fault) => {
      const { store, plain } = await aWorld(({ method, url }) =>
        method === 'POST' && url.includes('uploadId') ? once0(fault) : undefined,
      )
      const once0 = firstOnly()
      await store.send('image', whole, () => {})
      expect((await bytesIn(plain, 'image')).equals(bytes)).toBe(true)
    },
  )

  it.each([...passing, 'cut-body', 'stalled-body'] as const)(
    'is read to the end after: %s',
    async (fault) => {
      const { store, plain, asked } = await aWorld(once('GET', fault))
      await plain.send('image', whole, () => {})
      expect((await bytesIn(store, 'image', 1000)).equals(bytes.subarray(1000))).toBe(true)
      expect(asked.length).toBe(fault === 'twice' ? 1 : 2)
    },
  )

  it('says that it does not know whether it was this that was put, where nobody may look', async () => {
    let puts = 0
    const { store } = await aWorld(({ method }) => {
      if (method === 'HEAD') return 'forbidden'
      return ++puts === 1 ? 'unheard' : 'there-already'
    })
    const put = () => store.put('record', Buffer.from('mine'), true)
    expect(await thrownBy(put)).toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('Try again'),
    })
    expect(await put()).toBe(false)
  })

  it.each(['no-range', 'other-range'] as const)('is not believed other bytes: %s', async (fault) => {
    const { store, plain } = await aWorld(() => fault)
    await plain.send('image', whole, () => {})
    expect(await thrownBy(() => bytesIn(store, 'image', 5000, 100))).toMatchObject({ code: 'damaged' })
  })

  it('is not read on when another object has taken the place of the first', async () => {
    const { store, plain } = await aWorld(once('GET', 'cut-body'))
    await plain.send('image', whole, () => {})
    const read = store.read('image', { from: 0 }, async (pieces) => {
      let isFirst = true
      for await (const _ of pieces) {
        if (isFirst) await plain.send('image', { ...whole, bytes: 100 }, () => {})
        isFirst = false
      }
    })
    expect(await thrownBy(() => read)).toMatchObject({
      code: 'failed',
      message: expect.stringContaining('changed'),
    })
  })

  it.each([
    ['500', 'unreachable'],
    ['reset', 'unreachable'],
    ['expired', 'failed'],
  ] as const)('is given up in the end: %s', async (fault, code) => {
    const { store } = await aWorld(() => fault)
    const { code: found, message, hint } = await thrownBy(() => store.put('a', Buffer.from('x')))
    expect([found, hint]).toEqual([code, expect.any(String)])
    expect(message).not.toContain(server.env.AWS_SECRET_ACCESS_KEY)
  })

  it('that knows no conditions is put to all the same', async () => {
    const { store } = await aWorld(({ method }, index) =>
      method === 'PUT' && index < 2 ? 'not-implemented' : undefined,
    )
    expect(await store.put('a', Buffer.from('one'), true)).toBe(true)
    expect(await store.put('a', Buffer.from('two'), true)).toBe(false)
  })

  it('goes on with what an interrupted upload has left, where that is the same', async () => {
    const bytes = randomBytes(3 * part + 1000)
    const whole = sendable(bytes)
    let isBroken = true
    const { store, plain, asked } = await aWorld(({ method, url }) =>
      isBroken && method === 'PUT' && /partNumber=[34]/.test(url) ? 'not-implemented' : undefined,
    )
    expect(await thrownBy(() => store.send('image', whole, () => {}))).toMatchObject({ code: 'failed' })
    expect(await plain.stat('image')).toBeUndefined()
    isBroken = false
    asked.length = 0
    const other = {
      ...whole,
      async *read(from: number, length: number) {
        const own = Buffer.from(bytes.subarray(from, from + length))
        if (from === 0) own[7] = (own[7] ?? 0) ^ 1
        yield own
      },
    }
    let told = 0
    await store.send('image', other, (some) => {
      told += some
    })
    const parts = asked.filter((one) => one.startsWith('PUT')).map((one) => /partNumber=(\d)/.exec(one)?.[1])
    expect([parts.sort(), told]).toEqual([['1', '3', '4'], bytes.length])
    expect((await bytesIn(plain, 'image')).subarray(8).equals(bytes.subarray(8))).toBe(true)
  })

  it('lists 1,200 objects, in pages', async () => {
    const { store, plain, asked } = await aWorld(() => undefined)
    const keys = Array.from({ length: 1200 }, (_, index) => `wal/${String(index).padStart(4, '0')}`)
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => plain.put(key, Buffer.from('x'))))
    const found: string[] = []
    for await (const { key } of store.list('wal/')) found.push(key)
    expect(found.sort()).toEqual(keys)
    expect(asked).toHaveLength(2)
  })

  it('loses nothing, and has nothing by half, whatever goes wrong when', async () => {
    const faults: (S3Fault | undefined)[] = [
      'reset',
      'unheard',
      'twice',
      '500',
      'slow-down',
      'cut-body',
      'expired',
    ]
    const rounds = roundsOf(3)
    const draws = randomNumbers(rounds * 200, 40, 'bad day')
    let isFair = false
    const { store, plain } = await aWorld((_what, index) =>
      isFair ? undefined : faults[draws[index % draws.length] ?? 0],
    )
    for (let round = 0; round < rounds; round++) {
      const key = `image-${round}`
      isFair = false
      await store.send(key, whole, () => {}).catch(() => {})
      const there = await plain.stat(key)
      expect([undefined, bytes.length]).toContain(there?.bytes)
      isFair = true
      await store.send(key, whole, () => {})
      isFair = false
      const read = await bytesIn(store, key).catch(() => bytesIn(plain, key))
      expect(read.equals(bytes)).toBe(true)
    }
  })
})

function sendable(bytes: Buffer): Sendable {
  return {
    bytes: bytes.length,
    async *read(from, length) {
      yield bytes.subarray(from, from + length)
    },
  }
}

/** A fault for the first one who asks. */
function firstOnly() {
  let isDone = false
  return (fault: S3Fault) => {
    if (isDone) return undefined
    isDone = true
    return fault
  }
}
