import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { aDirectoryWith, aFileIn, loadIn } from './configurations.js'

describe('the root', () => {
  it('is the current directory without any configuration', async () => {
    const cwd = aDirectory()
    expect((await loadIn(cwd)).root).toBe(cwd)
  })

  it('is that of the option, the variable, the file, in this order', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'root: of-file' })
    const env = { PGBK_ROOT: 'of-env' }
    expect((await loadIn(cwd, env, { root: 'of-option' })).root).toBe(join(cwd, 'of-option'))
    expect((await loadIn(cwd, env)).root).toBe(join(cwd, 'of-env'))
    expect((await loadIn(cwd)).root).toBe(join(cwd, 'of-file'))
  })

  it('in a file is relative to the file, and without one is its directory', async () => {
    const directory = aDirectoryWith({ '.pgbkrc.yaml': 'root: backups', 'other.yaml': 'wal: {}' })
    const cwd = join(directory, 'a', 'b')
    mkdirSync(cwd, { recursive: true })
    expect((await loadIn(cwd)).root).toBe(join(directory, 'backups'))
    const config = join(directory, 'other.yaml')
    expect((await loadIn('/', {}, { config })).root).toBe(directory)
  })

  it('must be named in a place that belongs to no directory', async () => {
    const home = aDirectoryWith({})
    const file = aFileIn(home, '.config/pgbk/.pgbkrc', 'run_as: backup')
    const cwd = aDirectory()
    expect(await thrownBy(() => loadIn(cwd, { HOME: home }))).toMatchObject({
      code: 'config',
      message: `${file} names no root`,
    })
    const settings = await loadIn(cwd, { HOME: home, PGBK_ROOT: '/srv/pg' })
    expect(settings).toMatchObject({ root: '/srv/pg', run_as: 'backup' })
    expect((await loadIn(cwd, { HOME: home }, { root: 'here' })).root).toBe(join(cwd, 'here'))
  })
})

describe('the file', () => {
  it('is the first one on the way upward', async () => {
    const directory = aDirectoryWith({ '.pgbkrc': 'run_as: above' })
    aFileIn(directory, 'a/.pgbkrc.json', '{"run_as": "nearer"}')
    mkdirSync(join(directory, 'a/b/c'), { recursive: true })
    expect(await loadIn(join(directory, 'a/b/c'))).toMatchObject({
      run_as: 'nearer',
      root: join(directory, 'a'),
    })
    expect(await loadIn(directory)).toMatchObject({ run_as: 'above' })
  })

  it('is alone: what is further up is not merged', async () => {
    const directory = aDirectoryWith({ '.pgbkrc': 'bin_dir: /above' })
    aFileIn(directory, 'a/.pgbkrc', 'run_as: nearer')
    expect((await loadIn(join(directory, 'a'))).bin_dir).toBeUndefined()
  })

  it('may be in the place of XDG_CONFIG_HOME, which comes after the way upward', async () => {
    const xdg = aDirectory()
    aFileIn(xdg, 'pgbk/.pgbkrc.yaml', 'root: /srv/pg')
    const env = { XDG_CONFIG_HOME: xdg }
    expect((await loadIn(aDirectory(), env)).root).toBe('/srv/pg')
    expect((await loadIn(aDirectoryWith({ '.pgbkrc': 'root: /nearer' }), env)).root).toBe('/nearer')
  })

  it('that is named beats all others, by --config and then by PGBK_CONFIG', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'run_as: found', a: 'run_as: option', b: 'run_as: variable' })
    const env = { PGBK_CONFIG: 'b' }
    expect(await loadIn(cwd, env)).toMatchObject({ run_as: 'variable' })
    expect(await loadIn(cwd, env, { config: 'a' })).toMatchObject({ run_as: 'option' })
  })

  it.each([
    ['.pgbkrc', 'run_as: yaml\n# a comment\n'],
    ['.pgbkrc', '{"run_as": "yaml"}'],
    ['.pgbkrc.yaml', 'run_as: yaml'],
    ['.pgbkrc.json', '{"run_as": "yaml"}'],
  ])('%s is read as data: %j', async (name, text) => {
    expect(await loadIn(aDirectoryWith({ [name]: text }))).toMatchObject({ run_as: 'yaml' })
  })

  it('may be empty', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': '' })
    expect(await loadIn(cwd)).toMatchObject({ root: cwd, run_as: 'postgres' })
  })

  it.each(['- a\n- list', 'just a text', 'root: [', '{"root": ', '42'])('is refused as %j', async (text) => {
    const cwd = aDirectoryWith({ '.pgbkrc': text })
    const error = await thrownBy(() => loadIn(cwd))
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining(join(cwd, '.pgbkrc')) })
  })

  it('that is named must be there', async () => {
    const error = await thrownBy(() => loadIn('/', {}, { config: '/no/such/file' }))
    expect(error).toMatchObject({ code: 'config', message: 'cannot read /no/such/file: ENOENT' })
  })

  it('has all its faults, and those of the variables, in one message', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'roots: .\ncreate:\n  checkpoint: slow\n  what: 1\n' })
    const error = await thrownBy(() => loadIn(cwd, { PGBK_RETENTION_DAILY: 'x' }))
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining(join(cwd, '.pgbkrc')) })
    const paths = error.hint.split('\n').map((line) => line.replace(/^- ([^:]*):.*/, '$1'))
    expect(paths.sort()).toEqual(['create.checkpoint', 'create.what', 'retention.daily', 'roots'])
  })
})

it('the configurations of docs/stores.md are some', async () => {
  const page = readFileSync(new URL('../../docs/stores.md', import.meta.url), 'utf8')
  const texts = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text)
  expect(texts).toHaveLength(6)
  for (const text of texts) {
    const { stores } = await loadIn(aDirectoryWith({ '.pgbkrc.yaml': text }))
    expect(stores).toMatchObject({ offsite: { url: 's3://backups-of-acme/db1' } })
  }
})
