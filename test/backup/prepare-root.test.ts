import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { rootLayout } from '../../src/backup/layout.js'
import { claimRoot, enterRoot, makeRoot } from '../../src/backup/prepare-root.js'
import { PgbkError } from '../../src/errors.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aContext, anEmptyRoot, thrownBy } from './samples.js'

const aNewRoot = () => join(aDirectory(), 'root')

/** A context of root, that remembers as whom it was told to work, and what it gave away. */
function asRoot(refusal?: PgbkError) {
  const calls: [user: string | number, made: string[]][] = []
  const context = aContext({
    user: () => ({ uid: 0, gid: 0, name: 'root', home: '/root' }),
    become: (user, prepare) => {
      if (refusal) throw refusal
      calls.push([user, prepare?.make() ?? []])
    },
  })
  return { context, calls }
}

describe('claimRoot', () => {
  it('writes nothing for an ordinary user', () => {
    const root = aNewRoot()
    expect(claimRoot(root, 'postgres', aContext()).root).toBe(root)
    expect(existsSync(root)).toBe(false)
  })

  it('gives what it makes as root to run_as, and works on as that user', () => {
    const root = aNewRoot()
    const { context, calls } = asRoot()
    const { data, backups, gitignore } = claimRoot(root, 'backup', context)
    expect(calls).toEqual([['backup', [root, data, backups, gitignore]]])
  })

  it('gives nothing away that was there before', () => {
    const { root } = anEmptyRoot()
    const { context, calls } = asRoot()
    claimRoot(root, 'backup', context)
    expect(calls).toEqual([['backup', []]])
  })

  it('leaves nothing behind when there is no such user', async () => {
    const root = aNewRoot()
    const { context } = asRoot(new PgbkError('config', 'there is no operating-system user bakcup'))
    expect(await thrownBy(() => claimRoot(root, 'bakcup', context))).toMatchObject({ code: 'config' })
    expect(existsSync(root)).toBe(false)
  })

  it.each([[aContext()], [asRoot().context]])('makes no directory above the root', async (context) => {
    const root = join(aNewRoot(), 'below')
    expect(await thrownBy(() => claimRoot(root, 'postgres', context))).toMatchObject({
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

describe('makeRoot', () => {
  it('makes the directories, and keeps git out of them', () => {
    const layout = rootLayout(aNewRoot())
    makeRoot(layout)
    expect(statSync(layout.backups).isDirectory()).toBe(true)
    expect(readFileSync(layout.gitignore, 'utf8')).toBe('*\n')
  })

  it('keeps what is there', () => {
    const layout = anEmptyRoot()
    writeFileSync(layout.gitignore, 'mine\n')
    makeRoot(layout)
    expect(readFileSync(layout.gitignore, 'utf8')).toBe('mine\n')
  })
})

describe('enterRoot', () => {
  it('works on as the owner of the backups when started by root', () => {
    const layout = anEmptyRoot()
    const { context, calls } = asRoot()
    expect(enterRoot(layout.root, context).backups).toBe(layout.backups)
    expect(calls).toEqual([[statSync(layout.backups).uid, []]])
  })

  it('does nothing where there are no backups', () => {
    const root = aNewRoot()
    const { context, calls } = asRoot()
    enterRoot(root, context)
    expect(calls).toEqual([])
    expect(existsSync(root)).toBe(false)
  })
})
