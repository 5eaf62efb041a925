import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { makeImage } from '../../src/forms/make-image.js'
import type { ReadImage } from '../../src/squashfs/metadata.js'
import { openStoredImage, type StoredImage } from '../../src/squashfs/stored-image.js'
import { superblockBytes, superblockIn } from '../../src/squashfs/superblock.js'
import { randomNumbers, roundsOf } from '../helpers/chance.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'

const kib = 1024
/** What cannot be compressed lies in an image as it is. */
const files = new Map([
  ['PG_VERSION', randomBytes(3)],
  ['data/base/5/1259', randomBytes(128 * kib)],
  ['data/base/5/1249', randomBytes(300 * kib)],
  ['data/empty', Buffer.alloc(0)],
  ...Array.from({ length: 1000 }, (_, n): [string, Buffer] => [
    `data/many/${n}-${'x'.repeat(60)}`,
    randomBytes(50),
  ]),
])

const readerOf =
  (image: Buffer): ReadImage =>
  async (position, length) =>
    image.subarray(position, position + length)

function open(image: Buffer): StoredImage {
  const superblock = superblockIn(image.subarray(0, superblockBytes), image.length)
  if (!superblock) throw new PgbkError('damaged', 'no image')
  return openStoredImage(superblock, readerOf(image))
}

needs('program mksquashfs').describe('an image whose files are looked up by its tables', () => {
  let image: Buffer
  beforeAll(async () => {
    const [top, file] = [aDirectory(), join(aDirectory(), 'image')]
    for (const [name, bytes] of files) {
      mkdirSync(join(top, name, '..'), { recursive: true })
      writeFileSync(join(top, name), bytes)
    }
    symlinkSync('base', join(top, 'data/link'))
    await makeImage(top, file, { env: process.env, signal: new AbortController().signal })
    image = readFileSync(file)
  })

  it('has the names of its directories, and undefined for what is none', async () => {
    const { namesIn } = open(image)
    expect((await namesIn(''))?.sort()).toEqual(['PG_VERSION', 'data'])
    expect(await namesIn('data/many')).toHaveLength(1000)
    for (const none of ['data/none', 'data/link', 'PG_VERSION', 'PG_VERSION/none', 'none/none'])
      expect(await namesIn(none)).toBeUndefined()
  })

  it('tells where the bytes of each file are, as many as are wanted', async () => {
    const { extentsOf } = open(image)
    for (const [name, bytes] of files) {
      const there = Buffer.concat(
        (await extentsOf(name, 1 << 20)).map(([from, to]) => image.subarray(from, to)),
      )
      expect([name, there.includes(bytes)]).toEqual([name, true])
    }
    const [beginning] = await extentsOf('data/base/5/1249', 1)
    expect((beginning?.[1] ?? 0) - (beginning?.[0] ?? 0)).toBe(128 * kib)
    expect(await extentsOf('data/none', 1)).toEqual([])
  })

  it('that somebody has changed is damaged, or tells something else, and nothing worse', async () => {
    const tables = superblockIn(image, image.length)?.inodeTable ?? 0
    for (const lot of randomNumbers(roundsOf(150), 2 ** 32, 'changed images')) {
      const changed = Buffer.from(image)
      const place = lot % 3 === 0 ? lot % superblockBytes : tables + (lot % (image.length - tables))
      changed.writeUInt32LE(lot, Math.min(place, image.length - 4))
      const look = async () => {
        const { namesIn, extentsOf } = open(changed)
        await namesIn('data/many')
        for (const [from, to] of await extentsOf('data/base/5/1249', 1 << 20))
          expect([from >= 0, to <= image.length]).toEqual([true, true])
      }
      await look().catch((error) => expect(error).toBeInstanceOf(PgbkError))
    }
  })
})
