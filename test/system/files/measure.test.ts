import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import { freeBytes, measureTree } from '../../../src/system/files/measure.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

describe('measureTree', () => {
  it('adds up the files on every level', async () => {
    const directory = aDirectory()
    mkdirSync(join(directory, 'a', 'b'), { recursive: true })
    mkdirSync(join(directory, 'empty'))
    const files = { file: 10, 'a/file': 200, 'a/b/file': 3000, 'a/b/nothing': 0 }
    for (const [name, size] of Object.entries(files)) writeFileSync(join(directory, name), Buffer.alloc(size))
    expect(await measureTree(directory)).toEqual({ bytes: 3210, files: 4 })
  })

  it('does not follow links', async () => {
    const directory = aDirectory()
    symlinkSync('/usr', join(directory, 'directory'))
    symlinkSync('/etc/passwd', join(directory, 'file'))
    expect(await measureTree(directory)).toEqual({ bytes: 0, files: 0 })
  })

  it('fails where there is nothing to measure', async () => {
    expect(systemCode(await thrownBy(() => measureTree('/no/such/directory')))).toBe('ENOENT')
  })
})

describe('freeBytes', () => {
  it('tells what may still be written', async () => {
    const free = await freeBytes(aDirectory())
    expect(Number.isInteger(free)).toBe(true)
    expect(free).toBeGreaterThan(0)
  })
})
