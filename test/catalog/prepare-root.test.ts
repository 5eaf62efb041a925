import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { rootLayout } from '../../src/catalog/layout.js'
import { createRoot, openRootToChange, openRootToCreate } from '../../src/catalog/prepare-root.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aContext, anEmptyRoot, thrownBy } from './samples.js'

const aNewRoot = () => join(aDirectory(), 'root')

describe('openRootToCreate', () => {
  it('writes nothing for an ordinary user', () => {
    const root = aNewRoot()
    expect(openRootToCreate(root, aContext()).root).toBe(root)
    expect(existsSync(root)).toBe(false)
  })

  it('makes no directory above the root', async () => {
    const root = join(aNewRoot(), 'below')
    expect(await thrownBy(() => openRootToCreate(root, aContext()))).toMatchObject({
      code: 'root-not-writable',
      message: expect.stringContaining('no such directory'),
      hint: expect.stringContaining(`mkdir -p ${root}`),
    })
  })

  it('names the user who may not write, and the directory', async () => {
    const directory = aDirectory()
    mkdirSync(join(directory, 'closed'), { mode: 0o555 })
    const root = join(directory, 'closed', 'root')
    const { status, stdout } = await runPgbk(['create', '--json', '-C', root])
    expect(status).toBe(1)
    const { error } = JSON.parse(stdout)
    expect(error.code).toBe('root-not-writable')
    expect(error.message).toMatch(/^user \w+ cannot write to .*\/closed: permission denied$/)
  })
})

describe('createRoot', () => {
  it('makes the directories, and keeps git out of them', () => {
    const layout = rootLayout(aNewRoot())
    createRoot(layout)
    expect(statSync(layout.backups).isDirectory()).toBe(true)
    expect(readFileSync(layout.gitignore, 'utf8')).toBe('*\n')
  })

  it('keeps what is there', () => {
    const layout = anEmptyRoot()
    writeFileSync(layout.gitignore, 'mine\n')
    createRoot(layout)
    expect(readFileSync(layout.gitignore, 'utf8')).toBe('mine\n')
  })
})

describe('openRootToChange', () => {
  it('refuses one that cannot be written', async () => {
    const layout = anEmptyRoot()
    chmodSync(layout.backups, 0o555)
    const { status, stdout } = await runPgbk(['delete', '20261120T030000Z', '--json', '-C', layout.root])
    expect(status).toBe(1)
    expect(JSON.parse(stdout).error.code).toBe('root-not-writable')
  })

  it('does nothing where there are no backups', () => {
    const root = aNewRoot()
    openRootToChange(root, aContext())
    expect(existsSync(root)).toBe(false)
  })
})
