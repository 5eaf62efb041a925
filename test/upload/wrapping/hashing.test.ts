import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from '@jest/globals'
import type { Sendable } from '../../../src/system/files/sendable.js'
import { hashedOnTheWay } from '../../../src/upload/wrapping/hashing.js'

const bytes = randomBytes(1000)
const sum = createHash('sha256').update(bytes).digest('hex')

it.each<[string, [from: number, length: number][], read: number]>([
  [
    'in order are read once',
    [
      [0, 400],
      [400, 600],
    ],
    1000,
  ],
  [
    'that overlap are hashed once',
    [
      [0, 500],
      [300, 700],
    ],
    1200,
  ],
  [
    'in another order are read once more',
    [
      [500, 500],
      [0, 500],
    ],
    1500,
  ],
  [
    'of which some were read again and some never are all hashed',
    [
      [0, 300],
      [0, 300],
      [900, 100],
    ],
    1400,
  ],
  ['that nobody reads are read', [], 1000],
])('bytes %s', async (_, ranges, read) => {
  let count = 0
  const whole: Sendable = {
    bytes: bytes.length,
    async *read(from, length) {
      count += length
      for (let at = from; at < from + length; at += 100)
        yield bytes.subarray(at, Math.min(at + 100, from + length))
    },
  }
  const { what, sha256 } = hashedOnTheWay(whole)
  for (const [from, length] of ranges) for await (const _piece of what.read(from, length));
  expect([await sha256(), await sha256(), count]).toEqual([sum, sum, read])
})
