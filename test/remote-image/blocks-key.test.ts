import { describe, expect, it } from '@jest/globals'
import { blocksKey } from '../../src/remote-image/blocks-key.js'

const stores = {
  offsite: { url: 's3://bucket/db1' },
  other: { url: 's3://bucket/db1', endpoint: 'https://b' },
}
const keyOf = (place: string, { isEncrypted = false, sha256 = '00', cwd = '/srv' } = {}) =>
  blocksKey(
    { place, stores } as never,
    { id: '20261120T030000Z', sha256, identities: isEncrypted ? [] : undefined },
    { cwd, env: {} },
  )

describe('what the blocks of an image are kept by', () => {
  it('is the same for the same place, however it is named', () => {
    expect(keyOf('offsite')).toBe(keyOf('s3://bucket/db1/'))
    expect(keyOf('/srv/pg')).toBe(keyOf('pg'))
    expect(keyOf('/srv/pg')).toMatch(/^20261120T030000Z-[0-9a-f]{64}$/)
  })

  it('is another one for another place, another image, and what came in clear', () => {
    const keys = [
      ...[keyOf('offsite'), keyOf('other'), keyOf('nas:/srv/pg'), keyOf('/srv/pg')],
      ...[keyOf('offsite', { isEncrypted: true }), keyOf('offsite', { sha256: '01' })],
    ]
    expect(new Set(keys).size).toBe(keys.length)
  })
})
