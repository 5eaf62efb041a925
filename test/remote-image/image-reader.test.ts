import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import type { BlockCache } from '../../src/remote-image/block-cache.js'
import type { ReadImageRange } from '../../src/remote-image/fetch-range.js'
import { imageReader } from '../../src/remote-image/image-reader.js'
import { imageBlockSize } from '../../src/remote-image/stripe.js'

const mib = 1 << 20
const image = randomBytes(40 * mib + 1234)

/** A place that sends pieces, and counts. @param fault what a request does instead. */
function aPlace(fault: (request: number) => Fault | undefined = () => undefined) {
  const asked: { from: number; length: number }[] = []
  const going = { now: 0, most: 0 }
  const read: ReadImageRange = async (range, take) => {
    asked.push(range)
    going.most = Math.max(going.most, ++going.now)
    try {
      return await take(pieces(range, fault(asked.length)))
    } finally {
      going.now--
    }
  }
  return { asked, going, read }
}

type Fault = 'unreachable' | 'not-found' | 'short' | 'long' | 'stalls' | 'breaks'

async function* pieces({ from, length }: { from: number; length: number }, fault?: Fault) {
  if (fault === 'unreachable' || fault === 'not-found') throw new PgbkError(fault, `it is ${fault}`)
  await sleep(1)
  const end = from + length + (fault === 'short' ? -10 : fault === 'long' ? 10 : 0)
  for (let at = from; at < end; at += 10_000) {
    if (fault === 'stalls' && at > from) await sleep(60_000, undefined, { ref: false })
    if (fault === 'breaks' && at > from) throw new PgbkError('unreachable', 'the connection was lost')
    yield image.subarray(at, Math.min(end, at + 10_000))
  }
}

function aMemoryCache(): BlockCache & { blocks: Map<number, Buffer> } {
  const blocks = new Map<number, Buffer>()
  return {
    blocks,
    get: (block) => blocks.get(block),
    put: (block, bytes) => void blocks.set(block, bytes),
  }
}

const nothingKept: BlockCache = { get: () => undefined, put: () => {} }

function aReader(
  { read }: Pick<ReturnType<typeof aPlace>, 'read'>,
  cache: BlockCache = nothingKept,
  further = {},
) {
  const quick = { stallMs: 300, pausesMs: [1, 1], ...further }
  return imageReader({ ...quick, read, cache, bytes: image.length, name: 'the image', atOnce: 8 })
}

describe('reading an image elsewhere', () => {
  it('gives its bytes, wherever one reads, and none behind its end', async () => {
    const reader = aReader(aPlace())
    for (const [at, length] of [
      [0, 96],
      [100_000, 300_000],
      [image.length - 5, 100],
      [imageBlockSize - 1, 2],
    ] as const)
      expect((await reader.read(at, length)).equals(image.subarray(at, at + length))).toBe(true)
    expect(await reader.read(image.length, 10)).toHaveLength(0)
  })

  it('fetches for a small read what is around it, and nothing twice', async () => {
    const place = aPlace()
    const reader = aReader(place)
    await Promise.all([1, 2, 3].map(() => reader.read(5 * mib, 17_000)))
    await reader.idle()
    await reader.read(5 * mib + 100, 1000)
    expect(reader.fetched).toEqual({ bytes: imageBlockSize, requests: 1 })
  })

  it('fetches blocks together that cost no more than one', async () => {
    const place = aPlace()
    const reader = aReader(place, nothingKept, { together: 2 })
    await reader.read(7 * imageBlockSize, 10)
    await reader.read(6 * imageBlockSize, 10)
    await reader.read(image.length - 1, 1)
    expect(place.asked[0]).toEqual({ from: 6 * imageBlockSize, length: 2 * imageBlockSize })
    expect(place.asked).toHaveLength(2)
  })

  it('fetches what is expected side by side, without small gaps, and nothing again when it is read', async () => {
    const place = aPlace()
    const reader = aReader(place)
    reader.expect([
      [9 * mib, 9 * mib + 10],
      [10, 20],
      [2 * imageBlockSize, 2 * imageBlockSize + 1],
      [5, 5],
    ])
    await reader.idle()
    expect(place.asked).toEqual([
      { from: 0, length: 3 * imageBlockSize },
      { from: 9 * mib, length: imageBlockSize },
    ])
    await reader.read(9 * mib, 10)
    expect(reader.fetched.requests).toBe(2)
  })

  it('reads ahead of who reads on, in large pieces, and never more than was read', async () => {
    const place = aPlace()
    const reader = aReader(place)
    for (let at = 0; at < 8 * mib; at += 17_000)
      expect((await reader.read(at, 17_000)).equals(image.subarray(at, at + 17_000))).toBe(true)
    await reader.idle()
    expect(place.asked.length).toBeLessThan(40)
    expect(reader.fetched.bytes).toBeLessThanOrEqual(16 * mib + imageBlockSize)
    expect(place.going.most).toBeLessThanOrEqual(8)
  })

  it('asks for nothing ahead of who jumps about', async () => {
    const reader = aReader(aPlace())
    for (const at of [30, 3, 20, 9, 37]) await reader.read(at * mib, 17_000)
    await reader.idle()
    expect(reader.fetched).toEqual({ bytes: 5 * imageBlockSize, requests: 5 })
  })

  it('asks for nothing ahead of who reads one block of a file, page by page', async () => {
    const reader = aReader(aPlace())
    const [from, bytes] = [5 * mib + 20_000, 128 << 10]
    for (let at = from; at < from + bytes; at += 4096) await reader.read(at, 4096)
    await reader.idle()
    expect(reader.fetched.bytes).toBe(5 * imageBlockSize)
  })

  it('asks a cache first, and fills it', async () => {
    const cache = aMemoryCache()
    await aReader(aPlace(), cache).read(0, 3 * imageBlockSize)
    const other = aReader(aPlace(), cache)
    expect((await other.read(0, 3 * imageBlockSize)).equals(image.subarray(0, 3 * imageBlockSize))).toBe(true)
    expect(other.fetched.requests).toBe(0)
  })

  it.each<Fault>(['unreachable', 'short', 'long', 'stalls', 'breaks'])(
    'tries again when a request %s',
    async (fault) => {
      const reader = aReader(aPlace((request) => (request === 1 ? fault : undefined)))
      expect((await reader.read(1000, 1000)).equals(image.subarray(1000, 2000))).toBe(true)
    },
  )

  it('gives up in the end, keeps nothing wrong, and reads again when the place is back', async () => {
    let isAway = true
    const place = aPlace(() => (isAway ? 'short' : undefined))
    const cache = aMemoryCache()
    const reader = aReader(place, cache)
    await expect(reader.read(0, 10)).rejects.toMatchObject({ code: 'damaged' })
    expect(place.asked).toHaveLength(3)
    // Whoever comes then does not wait as long.
    await expect(reader.read(0, 10)).rejects.toMatchObject({ code: 'damaged' })
    expect([place.asked.length, cache.blocks.size]).toEqual([4, 0])
    isAway = false
    expect((await reader.read(0, 10)).equals(image.subarray(0, 10))).toBe(true)
  })

  it('does not ask again for what is gone', async () => {
    const place = aPlace(() => 'not-found')
    await expect(aReader(place).read(0, 10)).rejects.toMatchObject({ code: 'not-found' })
    expect(place.asked).toHaveLength(1)
  })

  it('keeps a bounded part of it in memory', async () => {
    const place = aPlace()
    const reader = aReader(place)
    for (let at = 0; at < image.length; at += mib) await reader.read(at, mib)
    await reader.idle()
    const { requests } = reader.fetched
    await reader.read(0, 10)
    expect(reader.fetched.requests).toBe(requests + 1)
  })
})
