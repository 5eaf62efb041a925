import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { grow, startSlowCreate, untilItCopies } from '../helpers/copying.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { idsIn, until } from '../helpers/traces.js'

let server: TestServer
let original: MadeBackup
let backup: MadeBackup
let root: string

beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await grow(server, 30)
  original = await aBackupOf(server)
})

/** Two backups, a policy that keeps one, and hooks that write down what they are told. */
beforeEach(async () => {
  root = await aRoot()
  await run(['cp', '-a', join(original.root, 'data'), root])
  const directory = join(root, 'data/backup', original.record.id)
  backup = { ...original, root, directory, snapshot: join(directory, 'snapshot') }
  await aTwinOf(backup, '20250101T030000Z')
  await configure({ on_success: note, on_failure: note, on_warning: note })
})

const note = 'env > "$PGBK_EVENT.env"; cat > "$PGBK_EVENT.json"'

const configure = (hooks: object) =>
  aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, retention: { daily: 1 }, hooks }))
const pgbk = (args: string[], env: Record<string, string> = {}) =>
  runPgbk(args, { cwd: root, env: { ...server.env, ...env } })
const told = (event: string) => existsSync(join(root, `${event}.env`))
const documentOf = (event: string) => JSON.parse(readFileSync(join(root, `${event}.json`), 'utf8'))
const variableOf = (event: string, name: string) =>
  new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(join(root, `${event}.env`), 'utf8'))?.[1]

describe('the hooks', () => {
  it('are told of a success, with the result', async () => {
    const { status, stdout } = await pgbk(['create', '--json'])
    expect(status).toBe(0)
    expect(documentOf('success')).toEqual(JSON.parse(stdout))
    const { id } = JSON.parse(stdout).backup
    const names = ['PGBK_EVENT', 'PGBK_COMMAND', 'PGBK_ID', 'PGBK_ERROR', 'PGBK_ROOT']
    expect(names.map((name) => variableOf('success', name))).toEqual(['success', 'create', id, '', root])
    expect(told('failure')).toBe(false)
  })

  it('are told of a failure, with the error', async () => {
    const { status } = await pgbk(['create'], { PGHOST: '/nowhere' })
    expect(status).toBe(5)
    expect(documentOf('failure').error).toMatchObject({ code: 'unreachable' })
    expect(variableOf('failure', 'PGBK_ERROR')).toBe(documentOf('failure').error.message.split('\n')[0])
    expect(told('success')).toBe(false)
  })

  it('are told of warnings, besides the success', async () => {
    await run(['mkdir', join(root, 'data/backup/20250102T030000Z')])
    await run([
      'mv',
      join(backup.snapshot, 'data/backup_label'),
      join(backup.snapshot, 'data/backup_label.old'),
    ])
    const { status, stderr } = await pgbk(['verify'])
    expect(status).toBe(0)
    expect(stderr).toContain('warning: latest skips')
    expect(variableOf('warning', 'PGBK_ERROR')).toMatch(/^latest skips/)
    expect([told('success'), told('failure')]).toEqual([true, false])
  })

  it('are told of faults that verify finds, with the whole result', async () => {
    await run(['rm', join(backup.snapshot, 'README')])
    expect((await pgbk(['verify'])).status).toBe(6)
    expect(variableOf('failure', 'PGBK_ID')).toBe(backup.record.id)
    expect(variableOf('failure', 'PGBK_ERROR')).toContain('snapshot/README: it is missing')
    expect(documentOf('failure').checks[0]).toMatchObject({ ok: false })
  })

  it('are told of prune, but not of a dry run, and of nothing else', async () => {
    for (const args of [['prune', '--dry-run'], ['list'], ['show', 'latest'], ['hold', 'latest']])
      expect((await pgbk(args)).status).toBe(0)
    expect(told('success')).toBe(false)
    expect((await pgbk(['prune', '--yes'])).status).toBe(0)
    expect(documentOf('success').pruned).toMatchObject([{ id: '20250101T030000Z' }])
  })

  it('never get a password', async () => {
    const env = {
      PGPASSWORD: 'geheim',
      PGBK_CONNECTION: 'postgresql://x:geheim@/y',
      URL: 'postgres://u:geheim@h/d',
    }
    expect(
      (await pgbk(['create', '--config', join(root, '.pgbkrc.json'), '-h', '/nowhere'], env)).status,
    ).toBe(5)
    expect(told('failure')).toBe(true)
    for (const file of ['failure.env', 'failure.json'])
      expect(readFileSync(join(root, file), 'utf8')).not.toContain('geheim')
  })

  it('are told of a create that was terminated, but not of Ctrl-C', async () => {
    for (const [signal, expected] of [
      ['SIGINT', false],
      ['SIGTERM', true],
    ] as const) {
      const child = startSlowCreate(server, root, ['--config', join(root, '.pgbkrc.json')])
      await untilItCopies(server)
      child.kill(signal)
      expect((await child).exitCode).toBe(signal === 'SIGINT' ? 130 : 143)
      expect(told('failure')).toBe(expected)
    }
    await until('nothing of it is left', () => idsIn(root).length === 2)
  })
})

describe('a hook that', () => {
  it.each([
    [
      'fails',
      'echo cannot reach the pager; exit 7',
      'the hook hooks.on_success ended with 7; it said:\ncannot reach',
    ],
    ['is ended by a signal', 'kill -9 $$', 'the hook hooks.on_success ended with a signal'],
    ['is no command', 'no-such-command', 'no-such-command: not found'],
    ['does not take its input', 'exec <&-; exit 1', 'ended with 1'],
    ['prints megabytes and fails', 'yes | head -c 5000000; exit 1', 'ended with 1'],
  ])('%s changes nothing but is reported, even if quiet', async (_what, on_success, complaint) => {
    await configure({ on_success })
    for (const quiet of [[], ['-q']]) {
      const { status, stderr, stdout } = await pgbk(['verify', '--json', ...quiet])
      expect({ status, ok: JSON.parse(stdout).checks[0].ok }).toEqual({ status: 0, ok: true })
      expect(stderr).toContain(complaint)
      expect(stderr.length).toBeLessThan(4000)
    }
  })

  it('fails does not change the status of a failure', async () => {
    await configure({ on_failure: 'exit 9' })
    const { status, stderr } = await pgbk(['create'], { PGHOST: '/nowhere' })
    expect(status).toBe(5)
    expect(stderr).toContain('hooks.on_failure ended with 9')
  })

  it('succeeds is silent, whatever it prints', async () => {
    await configure({ on_success: 'yes | head -c 5000000' })
    expect(await pgbk(['verify', '-q'])).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
