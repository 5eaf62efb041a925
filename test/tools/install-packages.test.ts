import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { aDirectory } from '../helpers/places.js'
import { attempt } from '../helpers/programs.js'

const script = fileURLToPath(new URL('install-packages.sh', import.meta.url))
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Runs it as an ordinary user without a terminal, where no program but these is found, and no zsh. */
function installed(what: string, ...variables: string[]) {
  const bin = aDirectory()
  symlinkSync('/usr/bin/id', join(bin, 'id'))
  for (const name of ['apt-get', 'sudo'])
    writeFileSync(join(bin, name), '#!/bin/sh\necho CALLED >&2\n', { mode: 0o755 })
  return attempt(['/usr/bin/env', '-i', `PATH=${bin}`, ...variables, '/bin/sh', script, what])
}

describe('an ordinary user whom nobody can ask', () => {
  it('is told the line that installs what the tests lack, and nothing is done', async () => {
    const { status, stderr } = await installed('test')
    expect(status).toBe(0)
    expect(stderr).toMatch(/^Missing here for the test: .*\bzsh\b/m)
    expect(stderr).toMatch(/^ {2}apt-get install --no-install-recommends .*\bzsh\b/m)
    expect(stderr).not.toContain('CALLED')
  })

  it('is told nothing before the demo, which says it itself', async () =>
    expect(await installed('demo')).toMatchObject({ status: 0, stdout: '', stderr: '' }))

  it('is left alone with PGBK_INSTALL=no', async () =>
    expect(await installed('test', 'PGBK_INSTALL=no')).toMatchObject({ status: 0, stderr: '' }))
})

it('comes before the demo and the tests', () =>
  expect(manifest.scripts).toMatchObject({
    predemo: expect.stringContaining('install-packages.sh demo'),
    pretest: expect.stringContaining('install-packages.sh test'),
  }))
