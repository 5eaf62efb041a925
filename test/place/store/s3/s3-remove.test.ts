import { describe, expect, it } from '@jest/globals'
import { s3Store } from '../../../../src/place/store/s3/s3-store.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { atEnd } from '../../../helpers/places.js'
import { aSmallS3, type OddAnswer } from '../../../helpers/small-s3.js'

/** @param toQuestion what the store answers to whether objects of the bucket may be locked; each of them is. */
async function aStore(toQuestion: OddAnswer) {
  const locked = {
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + 3_600_000).toISOString(),
  }
  const { port, done } = await aSmallS3(({ what }) => {
    if (what === 'HEAD') return { headers: locked }
    return what === 'GET object-lock' ? toQuestion : undefined
  })
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
  const settings = { region: 'here', endpoint: `http://127.0.0.1:${port}` }
  const store = await s3Store({ bucket: 'box', prefix: '' }, settings, aContext({ env }))
  atEnd(() => store.close())
  await store.put('a', Buffer.from('a'))
  return { store, done }
}

describe('whether objects are locked', () => {
  it.each([
    [404, 'ObjectLockConfigurationNotFoundError'],
    [404, 'NoSuchObjectLockConfiguration'],
    [501, 'NotImplemented'],
    [405, 'MethodNotAllowed'],
    [400, 'XNotImplemented'],
    [400, 'UnsupportedOperation'],
    [400, 'InvalidArgument'],
  ])(
    'is not asked for each where the store says that there is no such thing: %d %s',
    async (status, code) => {
      const { store, done } = await aStore({ status, code })
      expect(await store.remove(['a'])).toEqual([])
      expect(done()).not.toContain('HEAD')
    },
  )

  it('is asked for each where nobody may ask for all', async () => {
    const { store, done } = await aStore({ status: 403, code: 'AccessDenied' })
    expect(await store.remove(['a'])).toEqual([{ key: 'a', until: expect.any(Date) }])
    expect(done()).not.toContain('DELETE')
  })

  it.each([
    [409, 'OperationAborted', 'unreachable'],
    [400, 'Odd', 'failed'],
    [404, 'NoSuchBucket', 'not-found'],
  ])('has to be known before anything is removed: %d %s', async (status, code, as) => {
    const { store, done } = await aStore({ status, code })
    expect(await thrownBy(() => store.remove(['a']))).toMatchObject({
      code: as,
      message: expect.stringContaining('find out whether objects are locked'),
    })
    expect(done()).not.toContain('DELETE')
  })
})
