import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { compressible, compressSegment, gzipLevel } from '../../src/wal-receiver/compressor.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const mb = 1024 * 1024
const name = '000000010000000000000003'
const env = { PATH: process.env.PATH }
const signal = new AbortController().signal
const options = { level: 1, segmentSize: mb, env, signal }

describe('wal.compress', () => {
  it.each([
    ['gzip', 1],
    ['gzip:6', 6],
    ['none', undefined],
  ])('%s is level %s', (text, level) => expect(gzipLevel(text)).toBe(level))
})

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

  it('is there compressed alone, with the same content, closed to others', async () => {
    const { archive, content } = anArchive()
    await compressSegment(archive, name, options)
    expect(readdirSync(archive)).toEqual([`${name}.gz`])
    expect(gunzipSync(readFileSync(join(archive, `${name}.gz`))).equals(content)).toBe(true)
  })

  it('goes where the same is compressed already, and stays where something else is, which stays too', async () => {
    const { archive, content } = anArchive()
    const packed = join(archive, `${name}.gz`)
    writeFileSync(packed, gzipSync(content))
    const [raw, sound] = [join(archive, name), readFileSync(packed)]
    expect(await compressSegment(archive, name, options)).toBe(true)
    expect(readdirSync(archive)).toEqual([`${name}.gz`])
    writeFileSync(raw, Buffer.alloc(mb, 'damage '))
    expect(await compressSegment(archive, name, options)).toBe(false)
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
