import { describe, expect, it } from '@jest/globals'
import type { Sendable } from '../../../../src/place/store/object-store.js'
import type { S3Settings } from '../../../../src/place/store/s3/s3-settings.js'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext } from '../../../catalog/samples.js'
import { atEnd } from '../../../helpers/places.js'
import { type AskedOfS3, aSmallS3 } from '../../../helpers/small-s3.js'
import { aTunnel } from '../../../helpers/tunnel.js'

const part = 5 << 20
const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

/** A store below a name that only the proxy knows. */
async function aStore(settings: S3Settings, env: Record<string, string> = {}) {
  const { port, asked } = await aSmallS3()
  const { url } = await aTunnel(port)
  const context = aContext({ env: { ...keys, HTTP_PROXY: url, ...env } })
  const own = { endpoint: 'http://s3.example.com', region: 'here', part_size: part, ...settings }
  const store = await s3Store({ bucket: 'box', prefix: 'pg/' }, own, context)
  atEnd(() => store.close())
  return { store, asked }
}

function sendable(length: number): Sendable {
  return {
    bytes: length,
    async *read(_from, length) {
      yield Buffer.alloc(length)
    },
  }
}

const withHeader = (asked: AskedOfS3[], name: string) =>
  asked.map(({ what, headers }) => `${what}: ${headers[name] ?? 'none'}`)

describe('what a store in S3 is asked', () => {
  it.each([
    [undefined, 's3.example.com', '/box/pg/a'],
    [true, 's3.example.com', '/box/pg/a'],
    [false, 'box.s3.example.com', '/pg/a'],
  ])('names the bucket in the path or in the host, with path_style %s', async (path_style, host, path) => {
    const { store, asked } = await aStore({ path_style })
    await store.put('a', Buffer.from('a'))
    expect(asked.map(({ headers, path }) => [headers.host, path])).toEqual([[host, path]])
  })

  it('has the storage class of what is sent, in parts or whole, but none for what is put', async () => {
    const { store, asked } = await aStore({ storage_class: 'STANDARD_IA' })
    await store.send('image', sendable(part + 1), () => {})
    await store.send('small', sendable(10), () => {})
    await store.put('record', Buffer.from('{}'))
    const written = asked.filter(({ what }) => ['POST begin', 'PUT'].includes(what))
    expect(withHeader(written, 'x-amz-storage-class')).toEqual([
      'POST begin: STANDARD_IA',
      'PUT: STANDARD_IA',
      'PUT: none',
    ])
  })

  it('has the session token of temporary credentials, every time', async () => {
    const { store, asked } = await aStore({}, { AWS_SESSION_TOKEN: 'passing' })
    await store.send('image', sendable(part + 1), () => {})
    expect(new Set(asked.map(({ headers }) => headers['x-amz-security-token']))).toEqual(new Set(['passing']))
  })
})
