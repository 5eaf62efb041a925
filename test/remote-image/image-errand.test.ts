import { describe, expect, it } from '@jest/globals'
import type { Context } from '../../src/context.js'
import { imageErrandIn, secretsFor, withSecretsOf } from '../../src/remote-image/image-errand.js'
import { alice } from '../encryption/samples.js'

const errand = {
  place: 'offsite',
  stores: { offsite: { url: 's3://bucket/db1', part_size: 64 << 20 } },
  id: '20261120T030000Z',
  bytes: 10,
  sha256: '00',
  record: '/tmp/record',
  isEncrypted: false,
  note: '/tmp/note',
  cache: { directory: '/tmp/blocks', limit: 1000 },
  lasts: false,
}

describe('what a process is told that serves an image', () => {
  it('is what was said, with the stores of the configuration', () => {
    expect(imageErrandIn(JSON.stringify(errand))).toMatchObject(errand)
  })

  it.each(['{}', 'nothing', JSON.stringify({ ...errand, bytes: '10' })])(
    'is refused when no pgbk has said it: %s',
    (said) => expect(() => imageErrandIn(said)).toThrow('--served is for pgbk itself'),
  )

  it('has its identities in the environment, from which they go', async () => {
    const env = { PATH: '/bin', ...secretsFor([alice]) }
    const context = withSecretsOf({ env } as unknown as Context)
    expect(await context.identities()).toEqual([alice])
    expect(context.env).toEqual({ PATH: '/bin' })
  })
})
