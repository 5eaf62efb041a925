import { randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { blockCache, ofThisProcess } from '../../src/remote-image/block-cache.js'
import { imageBlockSize } from '../../src/remote-image/stripe.js'
import { aDirectory } from '../helpers/places.js'

const mib = 1 << 20
const directory = () => join(aDirectory(), 'blocks')
const open = (at: string, { key = 'image', limit = 64 * mib } = {}) =>
  blockCache({ directory: at, key, limit, now: () => new Date() })
const aBlock = (length = imageBlockSize) => randomBytes(length)

describe('the cache of blocks', () => {
  it('gives what was put, also to another process, and the short block at the end', () => {
    const at = directory()
    const [first, last] = [aBlock(), aBlock(100)]
    const cache = open(at)
    cache.put(0, first)
    cache.put(77, last)
    const other = open(at)
    expect([other.get(0, imageBlockSize), other.get(77, 100)]).toEqual([first, last])
    expect([other.get(1, imageBlockSize), other.get(500, imageBlockSize)]).toEqual([undefined, undefined])
  })

  it('keeps the blocks of different images apart', () => {
    const at = directory()
    open(at, { key: 'one' }).put(0, aBlock())
    expect(open(at, { key: 'other' }).get(0, imageBlockSize)).toBeUndefined()
  })

  it('gives only what this process has put, where that is asked for', () => {
    const at = directory()
    open(at).put(0, aBlock())
    const cache = ofThisProcess(open(at))
    expect(cache.get(0, imageBlockSize)).toBeUndefined()
    const block = aBlock()
    cache.put(0, block)
    expect(cache.get(0, imageBlockSize)).toEqual(block)
  })

  it('notices a byte that is another one, and a file that was cut off', () => {
    const at = directory()
    const cache = open(at)
    for (const block of [0, 1]) cache.put(block, aBlock())
    const file = join(at, 'image/0')
    const bytes = readFileSync(file)
    bytes.writeUInt8((bytes[10] ?? 0) ^ 1, 10)
    writeFileSync(file, bytes)
    expect(open(at).get(0, imageBlockSize)).toBeUndefined()
    expect(open(at).get(1, imageBlockSize)).toHaveLength(imageBlockSize)
    writeFileSync(file, bytes.subarray(0, imageBlockSize + 10))
    expect(open(at).get(1, imageBlockSize)).toBeUndefined()
  })

  it('takes zeros, and a block without its checksum, for nothing', () => {
    const at = directory()
    open(at).put(3, aBlock())
    const bytes = readFileSync(join(at, 'image/0'))
    bytes.fill(0, mib)
    writeFileSync(join(at, 'image/0'), bytes)
    expect([0, 3].map((block) => open(at).get(block, imageBlockSize))).toEqual([undefined, undefined])
  })

  it('stays below its limit, and keeps what was used last', () => {
    const at = directory()
    const limit = 4 * mib
    const cache = open(at, { limit })
    for (let block = 0; block < 32 * 12; block++) cache.put(block, aBlock())
    expect(diskUsage(at)).toBeLessThanOrEqual(limit + mib)
    expect(cache.get(0, imageBlockSize)).toBeUndefined()
    expect(open(at, { limit }).get(32 * 12 - 1, imageBlockSize)).toBeDefined()
  })

  it('may be removed while it is used', () => {
    const at = directory()
    const cache = open(at)
    cache.put(0, aBlock())
    rmSync(at, { recursive: true })
    cache.put(64, aBlock())
    expect(cache.get(64, imageBlockSize)).toBeDefined()
    expect(open(at).get(0, imageBlockSize)).toBeUndefined()
  })

  it('keeps nothing where nothing can be written', () => {
    const at = aDirectory()
    writeFileSync(join(at, 'file'), '')
    chmodSync(join(at, 'file'), 0o400)
    const cache = open(join(at, 'file/blocks'))
    cache.put(0, aBlock())
    expect(cache.get(0, imageBlockSize)).toBeUndefined()
    const none = open(join(at, 'none'), { limit: 0 })
    none.put(0, aBlock())
    expect(readdirSync(at)).toEqual(['file'])
  })
})

function diskUsage(at: string): number {
  const files = readdirSync(join(at, 'image')).map((name) => statSync(join(at, 'image', name)))
  return files.reduce((sum, { blocks }) => sum + blocks * 512, 0)
}
