import { describe, expect, it } from '@jest/globals'
import { atOnceOf, partSizeOf, partsOf, tagOfParts } from '../../../../src/place/store/s3/s3-parts.js'

const [MiB, GiB, TiB] = [2 ** 20, 2 ** 30, 2 ** 40]

describe('the size of parts', () => {
  it.each([
    [GiB, {}, 8 * MiB],
    [GiB, { part_size: 64 * MiB }, 64 * MiB],
    [GiB, { part_size: 1 }, 5 * MiB],
    [5 * TiB, {}, 525 * MiB],
    [100 * GiB, { endpoint: 'https://s3.fr-par.scw.cloud' }, 103 * MiB],
  ])('for %d bytes with %j is %d, so that there are not too many', (bytes, settings, size) => {
    expect(partSizeOf(bytes, settings)).toBe(size)
    expect(partsOf(bytes, size).length).toBeLessThanOrEqual('endpoint' in settings ? 1000 : 10_000)
  })

  it.each([5, 8, 48, 525, 5000])('of %d MiB is no more than memory has room for', (size) => {
    const held = Math.min(size, 48) * atOnceOf(size * MiB)
    expect([held <= 48, atOnceOf(size * MiB) >= 1]).toEqual([true, true])
  })

  it('covers an object, and not more', () => {
    expect(partsOf(11, 5)).toEqual([
      { number: 1, from: 0, length: 5 },
      { number: 2, from: 5, length: 5 },
      { number: 3, from: 10, length: 1 },
    ])
    expect(partsOf(10, 5).map(({ length }) => length)).toEqual([5, 5])
  })

  it('gives an object the name that S3 does', () => {
    expect(tagOfParts([Buffer.alloc(16), Buffer.alloc(16, 1)])).toMatch(/^[0-9a-f]{32}-2$/)
  })
})
