import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { sameContent } from '../../src/wal-segments/same-content.js'
import { segmentPieces, unpackSegment } from '../../src/wal-segments/segment-file.js'
import { zstdOfNode } from '../../src/wal-segments/zstd.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { zstdOf } from '../helpers/zstd.js'

const size = 1 << 20
const aFile = (name: string, bytes: Uint8Array) => {
  const file = join(aDirectory(), name)
  writeFileSync(file, bytes)
  return file
}
const segment = '000000010000000000000003'

const place = { env: { PATH: process.env.PATH }, signal: new AbortController().signal }

describe.each([
  ['gz', gzipSync],
  ['zst', zstdOf],
])('a compressed segment, .%s', (ending, pack) => {
  it('is unpacked when it is one', async () => {
    const target = join(aDirectory(), 'x')
    await unpackSegment(aFile(`${segment}.${ending}`, pack(Buffer.alloc(size, 1))), target, size, place)
    expect(statSync(target).size).toBe(size)
  })

  it.each([
    [
      'that holds a hundred times as much',
      pack(Buffer.alloc(100 * size)),
      'more than 1048576 bytes unpacked',
    ],
    ['that holds one byte more', pack(Buffer.alloc(size + 1)), 'more than 1048576 bytes unpacked'],
    ['that holds less', pack(Buffer.alloc(5)), '5 bytes unpacked'],
    ['that is cut off', pack(Buffer.alloc(size, 1)).subarray(0, -9), 'is damaged'],
    ['that is none', Buffer.from('no archive'), 'is damaged'],
    ['that is empty', Buffer.alloc(0), /is damaged|0 bytes unpacked/],
  ])('%s is damaged, and nothing stays of it', async (_, bytes, said) => {
    const target = join(aDirectory(), 'x')
    const error = await thrownBy(() =>
      unpackSegment(aFile(`${segment}.${ending}`, bytes), target, size, place),
    )
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringMatching(said) })
    expect(error).toMatchObject({ facts: { reason: expect.stringMatching(/^it (has|is damaged)/) } })
    expect(existsSync(target)).toBe(false)
  })

  it('that has gone leaves no file behind, not a moment later either', async () => {
    const directory = aDirectory()
    const gone = () =>
      unpackSegment(join(directory, `${segment}.${ending}`), join(directory, 'x'), size, place)
    for (let round = 0; round < 20; round++) {
      expect(await thrownBy(gone)).toMatchObject({ code: 'ENOENT' })
      expect(readdirSync(directory)).toEqual([])
    }
    await setTimeout(100)
    expect(readdirSync(directory)).toEqual([])
  })

  it('as a file without end, raw or compressed, is read to a byte beyond a segment', async () => {
    const raw = aFile(segment, Buffer.alloc(0))
    truncateSync(raw, 2 ** 40)
    for (const file of [raw, aFile(`${segment}.${ending}`, pack(Buffer.alloc(100 * size)))]) {
      let bytes = 0
      for await (const piece of segmentPieces(file, size, place)) bytes += piece.length
      expect(bytes).toBe(size + 1)
    }
  })
})

describe('a segment that was compressed since it was listed', () => {
  const directory = aDirectory()
  writeFileSync(join(directory, `${segment}.gz`), gzipSync(Buffer.alloc(size, 1)))
  const listed = { directory, name: segment, timeline: 1, segment: 3n, bytes: size }

  it('is found under its new name, also by work with two of its files', async () => {
    const raw = { ...listed, file: segment, form: 'raw' as const }
    const packed = { ...listed, file: `${segment}.gz`, form: 'gzip' as const }
    expect(await sameContent(raw, packed, { segmentSize: size, ...place })).toBe('same')
    expect(await sameContent(packed, raw, { segmentSize: size, ...place })).toBe('same')
  })

  it('is told of by itself when it has gone in every form', async () => {
    const gone = {
      ...listed,
      name: segment.replace(/3$/, '4'),
      file: segment.replace(/3$/, '4'),
      form: 'raw' as const,
    }
    const packed = { ...listed, file: `${segment}.gz`, form: 'gzip' as const }
    for (const [one, other] of [
      [gone, packed],
      [packed, gone],
    ] as const) {
      expect(await thrownBy(() => sameContent(one, other, { segmentSize: size, ...place }))).toMatchObject({
        facts: { segment: gone.name, reason: 'it has gone' },
      })
    }
  })
})

it('a segment that is compressed with zstd is told to need that where it is not there', async () => {
  const file = aFile(`${segment}.zst`, zstdOf(Buffer.alloc(size, 1)))
  const unpack = () =>
    unpackSegment(file, join(aDirectory(), 'x'), size, { ...place, env: { PATH: aDirectory() } })
  const code = zstdOfNode ? undefined : 'programs-missing'
  expect(
    await unpack().then(
      () => undefined,
      (error) => error.code,
    ),
  ).toBe(code)
})
