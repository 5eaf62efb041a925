import { randomInt } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { decrypting } from '../../src/encryption/decrypt.js'
import { encrypting } from '../../src/encryption/encrypt.js'
import { newFileKey } from '../../src/encryption/file-key.js'
import { openEncrypted } from '../../src/encryption/open-encrypted.js'
import { thrownBy } from '../catalog/samples.js'
import { alice, allOf, aPlaceWith, aPlainFile, inPieces, sample, sizes, withIdentities } from './samples.js'

const open = withIdentities([alice], [alice.recipient])

async function encrypted(plain: Buffer): Promise<Buffer> {
  const file = encrypting(aPlainFile(plain), await newFileKey([alice.recipient]))
  return allOf(file.read(0, file.bytes))
}

describe('the bytes of a file that is sent', () => {
  it.each(sizes)('are the same from wherever they are asked for: %d bytes', async (bytes) => {
    const key = await newFileKey([alice.recipient, alice.recipient])
    const file = encrypting(aPlainFile(sample(bytes)), key)
    const whole = await allOf(file.read(0, file.bytes))
    const ends = [
      0,
      1,
      key.header.length,
      key.header.length + 65_552,
      file.bytes - 1,
      file.bytes,
      file.bytes + 9,
    ]
    const froms = [...ends, ...Array.from({ length: 20 }, () => randomInt(file.bytes))]
    for (const from of froms) {
      const length = randomInt(file.bytes + 2)
      const again = encrypting(aPlainFile(sample(bytes), 7777), key)
      const part = await allOf(again.read(from, length))
      expect({ from, length, isSame: part.equals(whole.subarray(from, from + length)) }).toEqual({
        from,
        length,
        isSame: true,
      })
    }
  })

  it('do not come where the file has become shorter', async () => {
    const key = await newFileKey([alice.recipient])
    const file = encrypting({ ...aPlainFile(sample(100)), bytes: 70_000 }, key)
    await expect(allOf(file.read(0, file.bytes))).rejects.toMatchObject({ code: 'failed' })
  })
})

describe('a range of an encrypted file', () => {
  it.each(sizes)('is what was encrypted, from wherever: %d bytes', async (bytes) => {
    const plain = sample(bytes)
    const read = await openEncrypted(aPlaceWith(await encrypted(plain)).read, open, 'a file')
    const froms = [0, bytes, bytes + 1, bytes + 70_000, ...manyBelow(bytes + 5)]
    const lengths = [undefined, 0, 1, 65_536, randomInt(bytes + 70_000)]
    for (const [from, length] of froms.flatMap((one) => lengths.map((other) => [one, other] as const))) {
      const part = await read(length === undefined ? { from } : { from, length }, allOf)
      const end = length === undefined ? undefined : from + length
      expect({ from, length, isSame: part.equals(plain.subarray(from, end)) }).toMatchObject({ isSame: true })
    }
  })

  it('costs the chunks that have it', async () => {
    const place = aPlaceWith(await encrypted(sample(300_000)))
    const read = await openEncrypted(place.read, open, 'a file')
    const atOpening = place.bytesRead()
    expect(atOpening).toBeLessThanOrEqual(4096)
    expect(await read({ from: 131_072, length: 65_536 }, allOf)).toHaveLength(65_536)
    expect(place.bytesRead() - atOpening).toBe(65_552)
    await read({ from: 131_071, length: 2 }, allOf)
    expect(place.bytesRead() - atOpening).toBe(3 * 65_552)
  })

  it('begins where it is asked to, in a file of more than 4 GB', async () => {
    const key = await newFileKey([alice.recipient])
    const zeros = {
      bytes: 5 * 2 ** 30,
      read: (_from: number, length: number) => inPieces(Buffer.alloc(length)),
    }
    const file = encrypting(zeros, key)
    const read = await openEncrypted(
      ({ from, length = file.bytes }, take) => take(file.read(from, length)),
      open,
      'a file',
    )
    const end = await read({ from: zeros.bytes - 70_000 }, allOf)
    expect(end.equals(Buffer.alloc(70_000))).toBe(true)
  })
})

describe('an encrypted file that was changed', () => {
  const plain = sample(150_000)
  let whole: Buffer
  beforeAll(async () => {
    whole = await encrypted(plain)
  })
  const both = async (bytes: Buffer) => [
    await thrownBy(() => allOf(decrypting(inPieces(bytes), open, 'the file'))),
    await thrownBy(() =>
      openEncrypted(aPlaceWith(bytes).read, open, 'the file').then((read) => read({ from: 0 }, allOf)),
    ),
  ]
  const isDamaged = { code: 'damaged', message: expect.stringContaining('the file is damaged: ') }

  it('by one bit is damaged, and named, wherever that is', async () => {
    const header = whole.length - 150_000 - 3 * 16
    for (const at of [
      0,
      30,
      80,
      120,
      header - 40,
      header - 1,
      ...Array.from({ length: 30 }, () => randomInt(whole.length)),
    ]) {
      const flipped = Buffer.from(whole)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << randomInt(8))
      for (const error of await both(flipped)) expect(error).toMatchObject(isDamaged)
    }
  })

  it('by being cut off anywhere is damaged', async () => {
    const borders = [1, 2, 3].map((chunks) => whole.length - 150_000 - 48 + chunks * 65_552)
    for (const length of [0, 10, 100, ...borders.slice(0, 2), whole.length - 1, ...manyBelow(whole.length)])
      for (const error of await both(whole.subarray(0, length))) expect(error).toMatchObject(isDamaged)
  })

  it('by being cut off is damaged also for who reads behind its end', async () => {
    const read = await openEncrypted(
      aPlaceWith(whole.subarray(0, whole.length - 19_000)).read,
      open,
      'the file',
    )
    expect(await thrownBy(() => read({ from: 149_000, length: 10 }, allOf))).toMatchObject(isDamaged)
    expect(await thrownBy(() => read({ from: 400_000, length: 10 }, allOf))).toMatchObject(isDamaged)
  })

  it('by more that follows, or chunks in another order, is damaged', async () => {
    const start = whole.length - 150_000 - 48
    const chunk = (index: number) => whole.subarray(start + index * 65_552, start + (index + 1) * 65_552)
    const swapped = [whole.subarray(0, start), chunk(1), chunk(0), chunk(2)]
    for (const pieces of [[whole, Buffer.from('more')], [whole, chunk(2)], swapped])
      for (const error of await both(Buffer.concat(pieces))) expect(error).toMatchObject(isDamaged)
  })
})

function manyBelow(end: number): number[] {
  return Array.from({ length: 12 }, () => randomInt(Math.max(1, end)))
}
