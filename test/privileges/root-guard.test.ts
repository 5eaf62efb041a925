import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot } from '../helpers/users.js'

const guard = new URL('../helpers/root-guard.mjs', import.meta.url).href

/** Runs a module as if it were one of pgbk's. */
async function run(file: string, code: string) {
  const place = join(aDirectory(), 'dist', file)
  mkdirSync(join(place, '..'), { recursive: true })
  writeFileSync(place, code)
  return execa(process.execPath, ['--import', guard, place], { reject: false })
}

const touch = "import { lstatSync } from 'node:fs'\nlstatSync('/tmp')\n"

const asRoot = () => {
  it('ends what touches a path as root', async () => {
    const { signal, stderr } = await run('backup/x.mjs', touch)
    expect({ signal, stderr }).toEqual({
      signal: 'SIGKILL',
      stderr: expect.stringContaining('lstatSync(/tmp)'),
    })
  })

  it('sees promises too', async () => {
    const code = "import { rm } from 'node:fs/promises'\nawait rm('/no/such', { force: true })\n"
    expect((await run('run/x.mjs', code)).stderr).toContain('(/no/such)')
  })

  it('ends what starts a program as root', async () => {
    const code = "import { spawn } from 'node:child_process'\nspawn('id')\n"
    expect((await run('run/x.mjs', code)).stderr).toContain('spawn id')
  })

  it('lets the modules that step down, and the user that they step down to', async () => {
    expect(await run('privileges/x.mjs', touch)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await run('backup/x.mjs', `process.setuid(4711)\n${touch}`)).toMatchObject({ stderr: '' })
  })
}

needs('root').describe('the guard of what root does', asRoot)

if (!isRoot)
  describe('the guard of what root does', () => {
    it('lets an ordinary user', async () => expect((await run('x.mjs', touch)).exitCode).toBe(0))
  })
