import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { syncPath, syncTree, writeDurably } from '../../src/backup/durable.js'
import { systemCode } from '../../src/errors.js'
import { aDirectory } from '../helpers/places.js'
import { thrownBy } from './samples.js'

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
