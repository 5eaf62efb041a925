import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import { isAsInManifest } from '../../../src/snapshot/manifest/checksum.js'
import { isManifestWhole, manifestFiles } from '../../../src/snapshot/manifest/manifest.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const signal = new AbortController().signal

/** A manifest as backup_manifest.c writes it. */
function aManifest(lines: string[]): string {
  const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${lines.join(',\n')}\n],\n"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }\n],\n`
  const file = join(aDirectory(), 'backup_manifest')
  const checksum = createHash('sha256').update(text).digest('hex')
  writeFileSync(file, `${text}"Manifest-Checksum": "${checksum}"}\n`)
  return file
}

const line = (name: string, checksum: string) =>
  `{ ${name}, "Size": 9, "Last-Modified": "2026-11-20 03:00:00 GMT"${checksum} }`

const sha224 = '0f'.repeat(28)

describe('a manifest', () => {
  it('has its files, with the algorithm and the checksum of each', async () => {
    const file = aManifest([
      line('"Path": "base/1/1247"', ', "Checksum-Algorithm": "CRC32C", "Checksum": "839206e3"'),
      line('"Path": "odd \\"name\\""', `, "Checksum-Algorithm": "SHA224", "Checksum": "${sha224}"`),
      line('"Encoded-Path": "ff2e"', ''),
    ])
    const files = []
    for await (const one of manifestFiles(file)) files.push(one)
    expect(files).toEqual([
      {
        path: 'base/1/1247',
        size: 9,
        algorithm: 'CRC32C',
        checksum: '839206e3',
      },
      {
        path: 'odd "name"',
        size: 9,
        algorithm: 'SHA224',
        checksum: sha224,
      },
      { path: bytePath(Buffer.from([0xff, 0x2e])), size: 9, algorithm: 'NONE', checksum: '' },
    ])
  })

  it('is whole only when its own checksum says so', async () => {
    const file = aManifest([line('"Path": "a"', '')])
    expect(await isManifestWhole(file)).toBe(true)
    writeFileSync(file, '"Files": [\n')
    expect(await isManifestWhole(file)).toBe(false)
    writeFileSync(file, `"Files": [\n"Manifest-Checksum": "${'0'.repeat(64)}"}\n`)
    expect(await isManifestWhole(file)).toBe(false)
  })
})

describe('a file', () => {
  const bytes = Buffer.from('123456789')
  const file = () => {
    const path = join(aDirectory(), 'file')
    writeFileSync(path, bytes)
    return path
  }
  const entry = (algorithm: string, checksum: string, size = 9) => ({
    path: bytePath('x'),
    size,
    algorithm,
    checksum,
  })
  const sha = (name: string) => createHash(name).update(bytes).digest('hex')

  it.each([
    ['CRC32C', '839206e3'],
    ['SHA224', sha('sha224')],
    ['SHA256', sha('sha256')],
    ['SHA384', sha('sha384')],
    ['SHA512', sha('sha512')],
  ])('is compared by %s', async (algorithm, checksum) => {
    const path = file()
    expect(await isAsInManifest(path, entry(algorithm, checksum), signal)).toBe(true)
    expect(await isAsInManifest(path, entry(algorithm, checksum.replace(/^../, '00')), signal)).toBe(false)
    expect(await isAsInManifest(path, entry(algorithm, checksum, 8), signal)).toBe(false)
  })

  it('is compared by its size alone where there is no checksum', async () => {
    expect(await isAsInManifest(file(), entry('NONE', ''), signal)).toBe(true)
    expect(await isAsInManifest(file(), entry('NONE', '', 10), signal)).toBe(false)
  })

  it('that is not there is an error', async () => {
    const error = await thrownBy(() => isAsInManifest('/no/such/file', entry('NONE', ''), signal))
    expect(systemCode(error)).toBe('ENOENT')
  })
})
