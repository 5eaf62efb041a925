import { describe, expect, it } from '@jest/globals'
import { endpointOf } from '../../../../src/place/store/s3/s3-endpoint.js'
import { thrownBy } from '../../../catalog/samples.js'

const sdk = await import('../../../../src/place/store/s3/s3-sdk.js')
const found = (env: Record<string, string>, endpoint?: string) => endpointOf({ endpoint }, env, sdk)

describe('the endpoint of a store in S3', () => {
  it('is that of the configuration, of S3 in the environment, of all in the environment', async () => {
    const env = { AWS_ENDPOINT_URL: 'http://all.example.com' }
    const both = { ...env, AWS_ENDPOINT_URL_S3: 'http://s3.example.com' }
    expect(await found(both, 'http://own.example.com')).toBe('http://own.example.com')
    expect(await found(both)).toBe('http://s3.example.com')
    expect(await found({ ...env, AWS_ENDPOINT_URL_S3: '' })).toBe('http://all.example.com')
    expect(await found({})).toBeUndefined()
  })

  it.each(['nonsense', 'ftp://s3.example.com', 's3.example.com:9000'])(
    'in the environment is checked as in the configuration: %s',
    async (value) => {
      expect(await thrownBy(() => found({ AWS_ENDPOINT_URL: value }))).toMatchObject({
        code: 'config',
        message: `AWS_ENDPOINT_URL is not the URL of a store: ${value}`,
        hint: expect.stringContaining('https://'),
      })
    },
  )

  it('with a password in it is refused, and not repeated', async () => {
    const { code, message } = await thrownBy(() =>
      found({ AWS_ENDPOINT_URL_S3: 'https://me:secret@s3.example.com' }),
    )
    expect([code, message]).toEqual(['config', 'AWS_ENDPOINT_URL_S3 is not the URL of a store'])
  })
})
