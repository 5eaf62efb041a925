import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import {
  replaceDurably,
  replaceFleetingly,
  syncPath,
  syncTree,
  writeDurably,
} from '../../../src/system/files/durable.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

describe('writeDurably', () => {
  it('makes a file that only its owner can read', async () => {
    const file = join(aDirectory(), 'file')
    await writeDurably(file, 'text')
    expect(readFileSync(file, 'utf8')).toBe('text')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('replaces what was there', async () => {
    const file = join(aDirectory(), 'file')
    writeFileSync(file, 'a much longer text')
    await writeDurably(file, Buffer.from([0, 255]))
    expect([...readFileSync(file)]).toEqual([0, 255])
  })

  it('fails where there is no directory', async () => {
    expect(systemCode(await thrownBy(() => writeDurably('/no/such/directory/file', '')))).toBe('ENOENT')
  })
})

it.each([
  ['replaceDurably', replaceDurably],
  ['replaceFleetingly', replaceFleetingly],
])(
  '%s makes a file that only its owner can read, in the place of another or of a link',
  async (_name, replace) => {
    const directory = aDirectory()
    for (const [name, make] of Object.entries({
      none: () => {},
      file: () => writeFileSync(join(directory, 'file'), 'a much longer text', { mode: 0o644 }),
      link: () => symlinkSync('/etc/hostname', join(directory, 'link')),
    })) {
      make()
      await replace(join(directory, name), 'text')
      expect(readFileSync(join(directory, name), 'utf8')).toBe('text')
      expect(lstatSync(join(directory, name)).mode).toBe(0o100600)
    }
    expect(readdirSync(directory).sort()).toEqual(['file', 'link', 'none'])
  },
)

describe('replaceDurably', () => {
  it('may be called by several at once: one of them comes last, whole', async () => {
    const directory = aDirectory()
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(100_000))
    await Promise.all(texts.map((text) => replaceDurably(join(directory, 'file'), text)))
    expect(texts).toContain(readFileSync(join(directory, 'file'), 'utf8'))
    expect(readdirSync(directory)).toEqual(['file'])
  })

  it('leaves nothing when it fails', async () => {
    const directory = aDirectory()
    mkdirSync(join(directory, 'file'))
    expect(systemCode(await thrownBy(() => replaceDurably(join(directory, 'file'), 'text')))).toBe('EISDIR')
    expect(readdirSync(directory)).toEqual(['file'])
  })

  it('removes drafts of this file that killed processes have left, and no others', async () => {
    const directory = aDirectory()
    const [old, young, others] = ['.pgbk-file.1-a.new', '.pgbk-file.2-b.new', '.pgbk-other.1-a.new']
    for (const name of [old, young, others]) writeFileSync(join(directory, name), 'te')
    for (const name of [old, others]) utimesSync(join(directory, name), new Date(0), new Date(0))
    await replaceDurably(join(directory, 'file'), 'text')
    expect(readdirSync(directory).sort()).toEqual([young, others, 'file'])
  })
})

describe('syncTree', () => {
  it('goes through directories, and does not follow links that lead nowhere', async () => {
    const directory = aDirectory()
    mkdirSync(join(directory, 'a', 'b'), { recursive: true })
    writeFileSync(join(directory, 'a', 'b', 'file'), 'x')
    symlinkSync('/no/such/place', join(directory, 'a', 'link'))
    await syncTree(directory)
    await syncPath(join(directory, 'a'))
  })

  it('tells when something is not there', async () => {
    expect(systemCode(await thrownBy(() => syncTree('/no/such/directory')))).toBe('ENOENT')
  })
})
