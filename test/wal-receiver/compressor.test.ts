import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { compressible, compressSegment } from '../../src/wal-receiver/compressor.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { unzstd, zstdOf } from '../helpers/zstd.js'

const mb = 1024 * 1024
const name = '000000010000000000000003'
const env = { PATH: process.env.PATH }
const signal = new AbortController().signal
const gzip = { form: 'gzip' as const, pack: 'gzip -c -1', unpack: 'gzip -dc' }
const zstd = { form: 'zstd' as const, pack: 'zstd -q -c -1', unpack: 'zstd -dc' }
const options = { ...gzip, segmentSize: mb, env, signal }

describe('what may be compressed', () => {
  const archive = aDirectory()
  for (const file of [
    '000000010000000000000004',
    name,
    '000000020000000000000005',
    '000000010000000000000006.partial',
  ])
    writeFileSync(join(archive, file), Buffer.alloc(mb))
  for (const file of ['000000010000000000000002.gz', '00000002.history', '.pgbk-window.json'])
    writeFileSync(join(archive, file), '')

  it('is every finished raw segment, oldest first', () => {
    expect(compressible(archive, mb, { keepNewest: false }).map((file) => file.slice(-1))).toEqual([
      '3',
      '4',
      '5',
    ])
  })

  it('is not the newest where somebody receives', () => {
    expect(compressible(archive, mb, { keepNewest: true }).map((file) => file.slice(-1))).toEqual(['3', '4'])
  })

  it('is not what has a wrong size', () => {
    truncateSync(join(archive, name), 5)
    expect(compressible(archive, mb, { keepNewest: false }).map((file) => file.slice(-1))).toEqual(['4', '5'])
  })
})

describe('a segment', () => {
  function anArchive() {
    const archive = aDirectory()
    const content = Buffer.alloc(mb, 'some WAL ')
    writeFileSync(join(archive, name), content)
    return { archive, content }
  }

  it.each([
    ['.gz', gzip, gunzipSync],
    ['.zst', zstd, unzstd],
  ])('is there as %s alone, with the same content', async (ending, compression, unpack) => {
    const { archive, content } = anArchive()
    expect(await compressSegment(archive, name, { ...options, ...compression })).toBe(compression.form)
    expect(readdirSync(archive)).toEqual([name + ending])
    expect(unpack(readFileSync(join(archive, name + ending))).equals(content)).toBe(true)
  })

  it.each([
    ['.gz', gzipSync],
    ['.zst', zstdOf],
  ])('goes where it is there as %s, whatever is wanted now', async (ending, pack) => {
    for (const compression of [gzip, zstd]) {
      const { archive, content } = anArchive()
      writeFileSync(join(archive, name + ending), pack(content))
      await compressSegment(archive, name, { ...options, ...compression })
      expect(readdirSync(archive)).toEqual([name + ending])
    }
  })

  it('goes where the same is compressed already, and stays where something else is, which stays too', async () => {
    const { archive, content } = anArchive()
    const packed = join(archive, `${name}.gz`)
    writeFileSync(packed, gzipSync(content))
    const [raw, sound] = [join(archive, name), readFileSync(packed)]
    expect(await compressSegment(archive, name, options)).toBe('gzip')
    expect(readdirSync(archive)).toEqual([`${name}.gz`])
    writeFileSync(raw, Buffer.alloc(mb, 'damage '))
    expect(await compressSegment(archive, name, options)).toBeUndefined()
    expect(readdirSync(archive)).toEqual([name, `${name}.gz`])
    expect(readFileSync(packed).equals(sound)).toBe(true)
  })

  it('stays when gzip fails, or what it has written is not the same, and no draft is left', async () => {
    for (const gzip of ['exit 1', 'cat; echo more']) {
      const { archive } = anArchive()
      const bin = aDirectory()
      writeFileSync(join(bin, 'gzip'), `#!/bin/sh\n[ "$1" = -dc ] && exec cat\n${gzip}\n`, { mode: 0o755 })
      const broken = { ...options, env: { PATH: `${bin}:${process.env.PATH}` } }
      const error = await thrownBy(() => compressSegment(archive, name, broken))
      expect({ code: error.code, files: readdirSync(archive) }).toEqual({ code: 'failed', files: [name] })
    }
  })

  it('stays when it is interrupted', async () => {
    const { archive } = anArchive()
    const aborted = AbortSignal.abort(new RangeError('enough'))
    await thrownBy(() => compressSegment(archive, name, { ...options, signal: aborted }))
    expect(readdirSync(archive)).toEqual([name])
    expect(existsSync(join(archive, `${name}.gz`))).toBe(false)
  })
})
