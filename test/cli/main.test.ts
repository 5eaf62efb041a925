import { writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { RootLayout } from '../../src/catalog/layout.js'
import { PgbkError } from '../../src/errors.js'
import { version } from '../../src/version.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { pgbk } from './world.js'

const { it: withPrograms } = needs('PostgreSQL programs')

const id = '20261120T030000Z'
let root: RootLayout
let at: string[]
beforeAll(() => {
  root = anEmptyRoot()
  at = ['-C', root.root]
  aBackup(root, id, { label: 'first' })
})

describe('results and messages', () => {
  it('are kept apart: results on stdout', async () => {
    const { status, stdout, stderr } = await pgbk(['list', ...at])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(id)
  })

  it('are kept apart: messages on stderr', async () => {
    const mixed = anEmptyRoot()
    aBackup(mixed, id)
    writeFileSync(mixed.backup('20261121T030000Z'), '')
    const { status, stdout, stderr } = await pgbk(['list', '-C', mixed.root])
    expect(status).toBe(0)
    expect(stdout).not.toContain('20261121')
    expect(stderr).toBe('warning: 20261121T030000Z is not a whole backup: not a directory\n')
    expect(await pgbk(['list', '-q', '-C', mixed.root])).toEqual({ status, stdout, stderr: '' })
  })

  it('are an error on stderr alone', async () => {
    const { status, stdout, stderr } = await pgbk(['show', '20270101T000000Z', ...at])
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' })
    expect(stderr).toContain(`pgbk: there is no backup 20270101T000000Z in ${root.root}\n`)
  })

  it('are help on stdout', async () => {
    const { status, stdout, stderr } = await pgbk([])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('Usage: pgbk')
    expect(await pgbk(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('the root', () => {
  it('is the current directory, or what a relative option makes of it', async () => {
    expect((await pgbk(['list'], { cwd: root.root })).stdout).toContain(id)
    expect((await pgbk(['list', '-C', 'backup'], { cwd: root.data })).stdout).toContain('No backups in')
    expect((await pgbk(['list', '-C', '..'], { cwd: root.data })).stdout).toContain(id)
  })
})

describe('a URL', () => {
  it.each([
    ['list', '-C', 's3://bucket'],
    ['list', '--from', 'sftp://bucket'],
    ['show', 'latest', '--from', 'sftp://db1/srv'],
    ['download', 'latest', '--from', 'https://db1/srv'],
    ['download', 'latest', '--from', '/srv', '--to', 's3://bucket'],
    ['download', 'latest', '--archive', 's3://bucket/x.tar'],
    ['restore', '-D', 'file:///srv/pg'],
    ['list', '--config', 'https://db1/pgbkrc'],
    ['status', '--prometheus', '--output', 's3://bucket/x.prom'],
    ['create', '--root=webdav://x'],
  ])('is refused as a place: %j', async (...argv) => {
    const { status, stderr } = await pgbk([...(argv[1]?.includes('-C') ? [] : at), ...argv])
    expect(status).toBe(2)
    expect(stderr).toMatch(/:\/\/ is not supported/)
  })

  it.each(['PGBK_ROOT', 'PGBK_SOURCE', 'PGBK_CONFIG'])('is refused in %s', async (name) => {
    const { status, stderr } = await pgbk(['list', '--from'], { env: { [name]: 'sftp://bucket' } })
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/sftp:\/\/ is not supported|no source is named/),
    ])
  })

  it('is refused in a configuration', async () => {
    for (const key of ['root', 'source']) {
      const cwd = aDirectory()
      writeFileSync(`${cwd}/.pgbkrc`, `${key}: sftp://bucket`)
      const { status, stderr } = await pgbk(['list', '--from'], { cwd })
      expect([status, stderr]).toEqual([2, expect.stringContaining('sftp:// is not supported')])
    }
  })
})

describe('a password where it does not belong', () => {
  const uri = 'postgresql://me:S3CR/ET@db1/app'
  it.each([
    [[uri, 'create']],
    [['list', '--from', uri]],
    [['list', '--from', 'sftp://me:S3CRET@db1/x']],
    [['list', '-C', uri]],
    [['create', '-h', uri]],
    [['create', '-d', uri]],
    [['create', '-d', 'postgresql://me:12/S3CRET@db1/app']],
    [['create', '-d', 'postgresql://me:12?S3CRET@db1/app']],
    [['create', '-d', 'postgresql://me:12?S3CRET=x@db1/app']],
    [['create', '-d', 'postgresql://db1/app?S3CRET']],
    [['create', '-d', 'host=db1 password = S3CRET x']],
    [['status', '--max-age', uri]],
    [['create', '--checkpoint', 'password=S3CRET']],
    [['show', uri]],
    [['hold', uri]],
    [['create', `--${uri}`]],
  ])('is not repeated: %j', async (argv) => {
    for (const more of [['--json'], ['-v']]) {
      const { status, stdout, stderr } = await pgbk(['-C', root.root, ...argv, ...more])
      expect(status).toBeGreaterThan(0)
      expect(stdout + stderr).not.toMatch(/S3CR/)
    }
  })
})

describe('the exit status', () => {
  const statusOf = async (argv: string[], options = {}) => (await pgbk(argv, options)).status

  it('is 2 for wrong usage', async () => {
    const wrong = [['frobnicate'], ['list', '--what'], ['show', '../etc', ...at], ['list', '--', 'ls']]
    for (const argv of wrong) expect(await statusOf(argv)).toBe(2)
    expect(await statusOf(['create', '--label', 'a\nb', ...at])).toBe(2)
    expect(await statusOf(['create', '--max-rate', '1k', ...at])).toBe(2)
  })

  it('is 2 for a wrong configuration', async () => {
    expect(await statusOf(['list', '--config', '/no/such/file'])).toBe(2)
    expect(await statusOf(['list', ...at], { env: { PGBK_CREATE_CHECKPOINT: 'slow' } })).toBe(2)
  })

  it('is 2 for a delete that is not clear, or of the last one', async () => {
    for (const wanted of ['latest', '20261120', id]) expect(await statusOf(['delete', wanted, ...at])).toBe(2)
  })

  it('is 3 for a backup that is not there', async () => {
    for (const command of ['show', 'delete'])
      expect(await statusOf([command, '20270101T000000Z', ...at])).toBe(3)
    expect(await statusOf(['show', 'latest', '-C', aDirectory()])).toBe(3)
  })

  withPrograms('is 5 for a server that does not answer, or never could', async () => {
    const port = String(await aFreePort())
    expect(await statusOf(['create', '-h', '127.0.0.1', '-p', port, ...at])).toBe(5)
    const managed = await pgbk(['create', '-h', 'db.abc.eu-central-1.rds.amazonaws.com', ...at])
    expect(managed.status).toBe(5)
    expect(managed.stderr).toContain('Amazon RDS offers no base backups')
  })

  withPrograms.each([
    ['interrupted', 130],
    ['terminated', 143],
    ['hung-up', 129],
  ] as const)('of a create that is %s is %i', async (code, status) => {
    const signal = AbortSignal.abort(new PgbkError(code, code))
    expect(await statusOf(['create', '-h', '127.0.0.1', '-C', aDirectory()], { signal })).toBe(status)
  })
})

describe('a stdout that takes nothing', () => {
  const fault = (code: string) => Object.assign(new Error(`write ${code}`), { code })

  it('is fine when its reader has gone', async () => {
    expect(await pgbk(['list', ...at], { fault: fault('EPIPE') })).toMatchObject({ status: 0, stderr: '' })
  })

  it('is a failure otherwise', async () => {
    const { status, stderr } = await pgbk(['list', ...at], { fault: fault('ENOSPC') })
    expect(status).toBe(1)
    expect(stderr).toContain('cannot write to standard output: write ENOSPC')
  })
})
