import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import type { ReadImageRange } from '../../src/remote-image/fetch-range.js'
import { imageInOrder } from '../../src/remote-image/image-in-order.js'

const mib = 1 << 20
const image = randomBytes(40 * mib + 1234)

/** A place where later ranges come before earlier ones. @param answer the bytes of a range, or what it throws. */
function aPlace(answer: (from: number, to: number) => Buffer = (from, to) => image.subarray(from, to)) {
  const going = { now: 0, most: 0, bytes: 0, mostBytes: 0 }
  const read: ReadImageRange = async ({ from, length }, take) => {
    going.most = Math.max(going.most, ++going.now)
    going.bytes += length
    going.mostBytes = Math.max(going.mostBytes, going.bytes)
    try {
      await sleep(from % (8 * mib) === 0 ? 20 : 1)
      return await take(pieces(answer(from, from + length)))
    } finally {
      going.now--
      going.bytes -= length
    }
  }
  return { going, read }
}

async function* pieces(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

const whole = ({ read }: Pick<ReturnType<typeof aPlace>, 'read'>, from = 0) =>
  imageInOrder({ read, from, bytes: image.length, name: 'the image', stallMs: 1000, pausesMs: [1, 1] })

async function all(image: AsyncIterable<Buffer>): Promise<Buffer> {
  const got: Buffer[] = []
  for await (const piece of image) got.push(piece)
  return Buffer.concat(got)
}

describe('all of an image elsewhere', () => {
  it.each([0, 39 * mib + 7, image.length])('comes in order, from %i on', async (from) => {
    expect((await all(whole(aPlace(), from))).equals(image.subarray(from))).toBe(true)
  })

  it('comes in several ranges at the same time, and in no more than fit into memory', async () => {
    const place = aPlace()
    await all(whole(place))
    expect(place.going.most).toBeGreaterThan(3)
    expect(place.going.mostBytes).toBeLessThanOrEqual(24 * mib)
  })

  it('ends at a range that does not come, after all before it; nothing is asked for any more', async () => {
    const place = aPlace((from, to) => {
      if (from >= 20 * mib) throw new PgbkError('not-found', 'it is gone')
      return image.subarray(from, to)
    })
    let got = 0
    await expect(async () => {
      for await (const piece of whole(place)) got += piece.length
    }).rejects.toMatchObject({ code: 'not-found' })
    expect([got, place.going.now]).toEqual([20 * mib, 0])
  })

  it('is damaged where it is shorter than it should be', async () => {
    const place = aPlace((from, to) => image.subarray(from, Math.min(to, 30 * mib)))
    await expect(all(whole(place))).rejects.toMatchObject({ code: 'damaged' })
  })

  it('is let go by who wants no more of it', async () => {
    const place = aPlace()
    for await (const _piece of whole(place)) break
    expect(place.going.now).toBe(0)
  })
})
