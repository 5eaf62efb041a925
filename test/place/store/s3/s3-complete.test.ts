import { describe, expect, it } from '@jest/globals'
import type { Sendable } from '../../../../src/place/store/object-store.js'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { atEnd } from '../../../helpers/places.js'
import { type AskedOfS3, aSmallS3, type OddAnswer } from '../../../helpers/small-s3.js'

const part = 5 << 20
const image = Buffer.alloc(part + 1000, 'image')
const whole: Sendable = {
  bytes: image.length,
  async *read(from, length) {
    yield image.subarray(from, from + length)
  },
}

/** @param atCompletion what is answered when the parts are to be put together, by the number of that request. */
async function aStore(
  atCompletion: (OddAnswer | undefined)[],
  others: (asked: AskedOfS3) => OddAnswer | undefined = () => undefined,
) {
  const { port, done } = await aSmallS3((asked) =>
    asked.what === 'POST complete' ? atCompletion[asked.before] : others(asked),
  )
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
  const settings = { part_size: part, region: 'here', endpoint: `http://127.0.0.1:${port}` }
  const store = await s3Store({ bucket: 'box', prefix: '' }, settings, aContext({ env, tickMs: 10 }))
  atEnd(() => store.close())
  const times = (what: string) => done().filter((one) => one === what).length
  return { store, times }
}

const noSuchUpload = { status: 404, code: 'NoSuchUpload' }
const inOk = '<Error><Code>InternalError</Code></Error>'

describe('an upload in parts, when these are put together', () => {
  it('is not sent again where that was done, and nobody heard of it', async () => {
    const { store, times } = await aStore(['lost', noSuchUpload])
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
    expect([times('PUT part'), times('POST begin')]).toEqual([2, 1])
  })

  it('is done where it was, whatever is said instead', async () => {
    const { store, times } = await aStore(['lost', { status: 409, code: 'OperationAborted' }])
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
    expect(times('PUT part')).toBe(2)
  })

  it('is sent again where somebody has ended it, and another object is there', async () => {
    const { store, times } = await aStore([noSuchUpload])
    await store.put('image', Buffer.alloc(image.length))
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
    expect([times('PUT part'), times('POST begin')]).toEqual([4, 2])
  })

  it('is sent again where nobody may look', async () => {
    const { store, times } = await aStore(['lost', noSuchUpload], ({ what }) =>
      what === 'HEAD' ? { status: 403 } : undefined,
    )
    await store.send('image', whole, () => {})
    expect(times('PUT part')).toBe(4)
  })

  it('may take longer than anything else', async () => {
    const { store, times } = await aStore([{ afterMs: 900 }])
    await store.send('image', whole, () => {})
    expect(times('POST complete')).toBe(1)
  })

  it('is asked for again where an error comes as a success', async () => {
    const { store, times } = await aStore([{ status: 200, code: 'InternalError' }])
    expect(await store.send('image', whole, () => {})).toMatchObject({ bytes: image.length })
    expect([times('POST complete'), times('PUT part')]).toEqual([2, 2])
  })

  it.each([`${inOk}\n`, '<X></X>'])(
    'is not believed to be done by an answer that does not say so: %j',
    async (body) => {
      const { store } = await aStore([{ body }], ({ what }) =>
        what === 'HEAD' ? { status: 403 } : undefined,
      )
      expect(await thrownBy(() => store.send('image', whole, () => {}))).toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining('the parts of image'),
      })
    },
  )
})
