import { beforeAll, expect, jest } from '@jest/globals'
import type { ObjectStore, Sendable } from '../../../../src/place/store/object-store.js'
import type { S3Settings } from '../../../../src/place/store/s3/s3-settings.js'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { needs } from '../../../helpers/needs.js'
import { atEnd } from '../../../helpers/places.js'
import { type AskedOfS3, aSmallS3, type OddAnswer } from '../../../helpers/small-s3.js'
import { aCertificateFor } from '../../../helpers/tls.js'
import { aTunnel } from '../../../helpers/tunnel.js'

const { describe, it } = needs('program openssl')

const part = 5 << 20
const image = Buffer.alloc(2 * part + 1000, 'image')
const whole: Sendable = {
  bytes: image.length,
  async *read(from, length) {
    yield image.subarray(from, from + length)
  },
}

const credentials = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

async function aStore(settings: S3Settings, env: Record<string, string>): Promise<ObjectStore> {
  const context = aContext({ env: { ...credentials, ...env } })
  const store = await s3Store({ bucket: 'box', prefix: '' }, { part_size: part, ...settings }, context)
  atEnd(() => store.close())
  return store
}

let certificate: Awaited<ReturnType<typeof aCertificateFor>>
beforeAll(async () => {
  const regions = ['us-east-1', 'eu-central-1']
  certificate = await aCertificateFor(regions.map((region) => `*.s3.${region}.amazonaws.com`))
})

/** Amazon, as far as it is needed: with TLS, behind a proxy. */
async function anAmazon(odd: (asked: AskedOfS3) => OddAnswer | undefined) {
  const { file, ...tls } = certificate
  const { port, ...server } = await aSmallS3(odd, tls)
  const { url } = await aTunnel(port)
  return { ...server, env: { AWS_CA_BUNDLE: file, HTTPS_PROXY: url } }
}

const regionOf = ({ authorization = '' }: AskedOfS3['headers']) => /\/([^/]+)\/s3\//.exec(authorization)?.[1]

function redirecting({ headers }: AskedOfS3): OddAnswer | undefined {
  if (headers.host === 'box.s3.eu-central-1.amazonaws.com') return undefined
  return { status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'eu-central-1' } }
}

describe('a bucket in another region', () => {
  it.each([{}, { region: 'us-east-1' }])(
    'is asked there from the first redirect on: %j',
    async (settings) => {
      const warn = jest.spyOn(console, 'warn')
      const { env, done, asked } = await anAmazon(redirecting)
      const store = await aStore(settings, env)
      expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
      expect(done().filter((what) => what === 'PUT part')).toHaveLength(3)
      expect(
        asked.map(({ headers }) => regionOf(headers)).filter((region) => region === 'us-east-1'),
      ).toHaveLength(1)
      expect(warn).not.toHaveBeenCalled()
    },
  )

  it('is found by all who ask at once', async () => {
    const { env } = await anAmazon(redirecting)
    const store = await aStore({}, env)
    const found = await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.put(key, Buffer.from(key))))
    expect(found).toEqual([true, true, true, true])
  })

  it('is found where the store names it in what it says', async () => {
    const { port, asked } = await aSmallS3(({ headers }) =>
      regionOf(headers) === 'here' ? undefined : { status: 400, body: malformed('here') },
    )
    const store = await aStore({ endpoint: `http://127.0.0.1:${port}`, region: 'there' }, {})
    expect(await store.put('a', Buffer.from('a'))).toBe(true)
    expect(asked).toHaveLength(2)
  })

  it.each(['evil.example.com/', 'there'])('is not looked for in %s', async (region) => {
    const { port } = await aSmallS3(() => ({ status: 400, body: malformed(region) }))
    const store = await aStore({ endpoint: `http://127.0.0.1:${port}`, region: 'there' }, {})
    expect(await thrownBy(() => store.put('a', Buffer.from('a')))).toMatchObject({
      code: 'failed',
      message: expect.stringContaining('in another region'),
    })
  })
})

/** Refuses what was signed by another clock than its own, which is so many hours ahead. */
function ofAnotherClock({ headers }: AskedOfS3, hours: number): Exclude<OddAnswer, 'lost'> {
  const now = Date.now() + hours * 3_600_000
  const date = new Date(now).toUTCString()
  const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(String(headers['x-amz-date'])) ?? []
  const signed = Date.parse(`${day}T${time}Z`.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:'))
  if (Math.abs(signed - now) < 15 * 60_000) return { headers: { date } }
  return { status: 403, code: 'RequestTimeTooSkewed', headers: { date } }
}

describe('a store whose clock is another', () => {
  it('is known to be that when new credentials are looked for, too', async () => {
    const answers: Exclude<OddAnswer, 'lost'>[] = []
    const { env, done } = await anAmazon((asked) => {
      const answer = ofAnotherClock(asked, 1)
      const isExpired = asked.what === 'PUT part' && asked.before === 0
      answers.push(isExpired ? { ...answer, status: 400, code: 'ExpiredToken' } : answer)
      return answers.at(-1)
    })
    const store = await aStore({}, env)
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(1)
    expect(done().filter((what) => what === 'PUT part')).toHaveLength(4)
  })

  it('that is set meanwhile is sent to once more', async () => {
    let hours = 0
    const { env } = await anAmazon((asked) => {
      if (asked.what === 'PUT part') hours = 1
      return ofAnotherClock(asked, hours)
    })
    const store = await aStore({}, env)
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
  })
})

describe('credentials that have expired', () => {
  it('are looked for once more, also where an answer has no room to say so', async () => {
    const { env, done } = await anAmazon(({ what, before }) =>
      what === 'HEAD' && before === 0 ? { status: 400 } : undefined,
    )
    const store = await aStore({}, env)
    await store.put('a', Buffer.from('a'))
    expect(await store.stat('a')).toMatchObject({ bytes: 1 })
    expect(done()).toEqual(['PUT', 'HEAD', 'HEAD'])
  })
})

function malformed(region: string): string {
  return `<Error><Code>AuthorizationHeaderMalformed</Code><Region>${region}</Region></Error>`
}
