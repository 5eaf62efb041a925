import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { makeImage } from '../../src/forms/make-image.js'
import type { BlockCache } from '../../src/remote-image/block-cache.js'
import { expectFirstReads } from '../../src/remote-image/expect-first-reads.js'
import { imageReader } from '../../src/remote-image/image-reader.js'
import { openStoredImage } from '../../src/squashfs/stored-image.js'
import { superblockIn } from '../../src/squashfs/superblock.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'

const page = (count: number) => randomBytes(count * 8192)
/** Whole blocks of the image, but for the small files, which lie in one together. */
const snapshot = {
  'conf/postgresql.conf': page(1),
  'data/global/pg_control': page(1),
  'data/base/5/1259': page(32),
  'data/base/5/2601': page(1),
  'data/base/16384/1259': page(48),
  'data/base/16384/1255': page(64),
  'data/base/16384/2601': page(1),
  'data/base/16384/16385': page(512),
}
const nothingKept: BlockCache = { get: () => undefined, put: () => {} }

needs('program mksquashfs').describe('what a start reads of an image elsewhere', () => {
  let image: Buffer
  beforeAll(async () => {
    const [top, file] = [aDirectory(), join(aDirectory(), 'image')]
    for (const [name, bytes] of Object.entries(snapshot)) {
      mkdirSync(join(top, name, '..'), { recursive: true })
      writeFileSync(join(top, name), bytes)
    }
    await makeImage(top, file, { env: process.env, signal: new AbortController().signal })
    image = readFileSync(file)
  })

  async function started(there: Buffer) {
    const reader = imageReader({
      ...{ bytes: there.length, cache: nothingKept, atOnce: 8, name: 'the image' },
      read: (range, take) => take(bytesOf(there.subarray(range.from, range.from + range.length))),
    })
    const notice = expectFirstReads(there.length, reader)
    await reader.read(0, 96)
    for (let turn = 0; turn < 200; turn++) await Promise.resolve().then(reader.idle)
    return { reader, notice }
  }

  async function* bytesOf(bytes: Buffer) {
    yield bytes
  }

  /** Reads a file as squashfuse does, by whole pages, and returns the requests that this took. */
  async function requestsFor({ reader, notice }: Awaited<ReturnType<typeof started>>, name: string) {
    const superblock = superblockIn(image, image.length)
    if (!superblock) throw new Error('no image')
    const { extentsOf } = openStoredImage(superblock, async (at, length) => image.subarray(at, at + length))
    const before = reader.fetched.requests
    const [[begin, end] = [0, 0]] = await extentsOf(name, 1)
    const from = begin - (begin % 4096)
    notice(from, Math.ceil(end / 4096) * 4096 - from)
    await reader.idle()
    await reader.read(begin, end - begin)
    return reader.fetched.requests - before
  }

  it('is here before it is read, and nothing of databases', async () => {
    const start = await started(image)
    const { bytes } = start.reader.fetched
    expect(bytes).toBeLessThan(image.length / 4)
    for (const name of ['conf/postgresql.conf', 'data/global/pg_control'])
      expect([name, await requestsFor(start, name)]).toEqual([name, 0])
    expect(await requestsFor(start, 'data/base/16384/16385')).toBeGreaterThan(0)
  })

  it('comes for a database when the first of its catalogs is read', async () => {
    const start = await started(image)
    expect(await requestsFor(start, 'data/base/16384/1259')).toBeGreaterThan(0)
    expect(await requestsFor(start, 'data/base/16384/1255')).toBe(0)
  })

  it('does not come for a database when a block is read that others have, too', async () => {
    const start = await started(image)
    await requestsFor(start, 'conf/postgresql.conf')
    await requestsFor(start, 'data/base/5/2601')
    expect(await requestsFor(start, 'data/base/16384/1259')).toBeGreaterThan(0)
  })

  it('does not come for a database when what lies beside its catalogs is read', async () => {
    const start = await started(image)
    await requestsFor(start, 'data/base/16384/16385')
    await requestsFor(start, 'data/base/5/1259')
    expect(await requestsFor(start, 'data/base/16384/1255')).toBeGreaterThan(0)
  })

  it('is read as it comes where the image tells nothing, or nonsense', async () => {
    const odd = Buffer.from(image)
    odd.fill(0xff, superblockIn(image, image.length)?.inodeTable)
    for (const there of [odd, randomBytes(200_000)]) {
      const { reader } = await started(there)
      expect((await reader.read(1000, 1000)).equals(there.subarray(1000, 2000))).toBe(true)
    }
  })
})
