import { describe, expect, it } from '@jest/globals'
import { proxyFor } from '../../../../src/place/store/s3/s3-agents.js'
import { thrownBy } from '../../../catalog/samples.js'

const url = 'https://bucket.s3.example.com'
const found = (env: Record<string, string>, of = url) => proxyFor(of, env)?.href

describe('the proxy of the environment', () => {
  it.each([
    [{ HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128/'],
    [{ https_proxy: 'proxy:3128' }, 'http://proxy:3128/'],
    [{ ALL_PROXY: 'https://proxy' }, 'https://proxy/'],
    [{ HTTP_PROXY: 'http://proxy:3128' }, undefined],
    [{ HTTPS_PROXY: '' }, undefined],
  ])('of %j is %s', (env, proxy) => expect(found(env as Record<string, string>)).toBe(proxy))

  it('for an endpoint without TLS is another one', () => {
    expect(found({ HTTP_PROXY: 'http://proxy:3128' }, 'http://127.0.0.1:9000')).toBe('http://proxy:3128/')
  })

  it.each([
    ['*', true],
    ['example.com', true],
    ['.example.com', true],
    ['*.example.com', true],
    ['db1, bucket.s3.EXAMPLE.com', true],
    ['example.com:443', true],
    ['example.com:9000', false],
    ['ample.com', false],
    ['', false],
  ])('is not asked for what NO_PROXY names: %j', (list, isDirect) => {
    expect(found({ HTTPS_PROXY: 'http://proxy', NO_PROXY: list }) === undefined).toBe(isDirect)
  })

  it('of another kind is refused, without its password', async () => {
    const { code, message } = await thrownBy(() => found({ HTTPS_PROXY: 'socks5://me:secret@proxy' }))
    expect([code, message.includes('secret')]).toEqual(['config', false])
  })
})
