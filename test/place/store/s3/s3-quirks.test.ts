import { PutObjectLegalHoldCommand, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { beforeAll, expect, it } from '@jest/globals'
import type { ObjectStore } from '../../../../src/place/store/object-store.js'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { needs } from '../../../helpers/needs.js'
import { atEnd } from '../../../helpers/places.js'
import { anS3ServerOfItsOwn, letOnlyWrite, type S3Server } from '../../../helpers/s3.js'
import { aTunnel } from '../../../helpers/tunnel.js'

const { describe } = needs('an S3 server', 'program openssl')

let server: S3Server
beforeAll(async () => {
  server = await anS3ServerOfItsOwn('--tls')
})

async function aStore(bucket: string, env: Record<string, string> = {}): Promise<ObjectStore> {
  const context = aContext({ env: { ...server.env, ...env } })
  const store = await s3Store({ bucket, prefix: 'db1/' }, { part_size: 5 << 20 }, context)
  atEnd(() => store.close())
  return store
}

const text = Buffer.from('x')
const image = Buffer.alloc(6 << 20, 'image')
const sendable = {
  bytes: image.length,
  async *read(from: number, length: number) {
    yield image.subarray(from, from + length)
  },
}

async function readAll(store: ObjectStore, key: string): Promise<number> {
  return store.read(key, { from: 0 }, async (pieces) => {
    let read = 0
    for await (const piece of pieces) read += piece.length
    return read
  })
}

describe('a store in S3', () => {
  it('with a certificate of its own is reached with AWS_CA_BUNDLE, and not without', async () => {
    const bucket = await server.aBucket()
    const trusted = await aStore(bucket)
    expect(await trusted.put('a', text)).toBe(true)
    const untrusted = await aStore(bucket, { AWS_CA_BUNDLE: '' })
    expect(await thrownBy(() => untrusted.stat('a'))).toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    })
    const missing = aStore(bucket, { AWS_CA_BUNDLE: '/nonexistent.pem' })
    expect(await thrownBy(() => missing)).toMatchObject({ code: 'config' })
  })

  it('is reached through the proxy of the environment, but for what NO_PROXY names', async () => {
    const bucket = await server.aBucket()
    const proxy = await aTunnel()
    const through = await aStore(bucket, { HTTPS_PROXY: proxy.url })
    await through.send('image', sendable, () => {})
    expect(await readAll(through, 'image')).toBe(image.length)
    expect(proxy.asked[0]).toEqual([new URL(server.endpoint).host, 'Basic bWU6c2VjcmV0'])
    const before = proxy.asked.length
    const direct = await aStore(bucket, { HTTPS_PROXY: proxy.url, NO_PROXY: 'localhost,127.0.0.1' })
    expect(await direct.stat('image')).toMatchObject({ bytes: image.length })
    expect(proxy.asked.length).toBe(before)
  })

  it('says that a proxy does not answer, but not its password', async () => {
    const store = await aStore(await server.aBucket(), { HTTPS_PROXY: 'http://me:secret@127.0.0.1:9' })
    const { code, message } = await thrownBy(() => store.stat('a'))
    expect([code, message.includes('secret')]).toEqual(['unreachable', false])
  })

  it('keeps what Object Lock keeps, and says until when', async () => {
    const bucket = await server.aBucket({ lock: true })
    const store = await aStore(bucket)
    await store.put('before', text)
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const
    const lock = { Bucket: bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule } } as const
    await server.client.send(new PutObjectLockConfigurationCommand(lock))
    await store.put('locked', text)
    await store.put('held', text)
    const hold = { Bucket: bucket, Key: 'db1/held', LegalHold: { Status: 'ON' } } as const
    await server.client.send(new PutObjectLegalHoldCommand(hold))
    const kept = await store.remove(['before', 'locked', 'held', 'none'])
    expect(kept.sort((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
      { key: 'held', until: undefined },
      { key: 'locked', until: expect.any(Date) },
    ])
    const days = ((kept[1]?.until?.getTime() ?? 0) - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(3)
    expect(await readAll(store, 'locked')).toBe(1)
    expect(await store.stat('before')).toBeUndefined()
  })

  it('is sent to by who may only write', async () => {
    const bucket = await server.aBucket()
    await letOnlyWrite(server, bucket)
    const store = await aStore(bucket)
    expect(await store.put('record', text, true)).toBe(true)
    expect(await store.send('image', sendable, () => {})).toMatchObject({ bytes: image.length })
    for (const work of [
      () => readAll(store, 'image'),
      () => store.directoriesIn('data/'),
      () => store.remove(['image']),
    ])
      expect(await thrownBy(work)).toMatchObject({
        code: 'failed',
        hint: expect.stringContaining('stores.md'),
      })
  })
})
