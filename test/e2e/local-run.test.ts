import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from '@jest/globals'
import { aBackupIn, eachUserMajorAndForm } from '../helpers/forms.js'
import { type Need, needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aServer, fill, filledAnswer, filledRows, type TestServer } from '../helpers/server.js'
import { pidsIn } from '../helpers/servers-in.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

/** Working copies, and what they take. */
const kinds: Record<string, Need[]> = {
  overlay: ['user namespaces'],
  thin: ['user namespaces', '/dev/fuse'],
  copy: [],
}

eachUserMajorAndForm('local-run of a %f backup, started by %s, on PostgreSQL %i', (user, major, form) => {
  let server: TestServer
  let root: string
  let backup: string
  let id: string

  beforeAll(async () => {
    server = await aServer({ major })
    await fill(server)
    const made = await aBackupIn(form, server)
    root = made.root
    backup = made.directory
    id = made.record.id
  })

  const asRoot = user === 'root'
  const cache = { XDG_CACHE_HOME: aDirectory('pgbk-cache-') }
  const localRun = (args: string[], env = {}) =>
    runPgbk(['local-run', '-C', root, ...args], { asRoot, env: { ...cache, ...env } })
  const psql = (statements: string) => [
    '--',
    'psql',
    '-XAt',
    ...statements.split(';').flatMap((statement) => (statement.trim() ? ['-c', statement] : [])),
  ]

  for (const [kind, need] of Object.entries(kinds))
    needs(...need).it(
      `answers SQL from a working copy ${kind} and leaves every byte, mode, owner and time of the backup as it was`,
      async () => {
        const before = fingerprint(backup)
        const changes = 'update ledger set at = now(); vacuum full parts_low;'
        const words = ['--working-copy', kind, '--dbname', 'app', ...psql(changes + filledRows)]
        const result = await localRun(words)
        const stdout = `UPDATE 1000\nVACUUM\n${filledAnswer}`
        expect({ ...result, stderr: '' }).toEqual({ status: 0, stdout, stderr: '' })
        expect(fingerprint(backup)).toBe(before)
        expect(readdirSync(join(root, 'data/run'))).toEqual([])
      },
    )

  needs('user namespaces').it('cannot write into the backup by its real path', async () => {
    const before = fingerprint(backup)
    const target = join(backup, form === 'plain' ? 'snapshot/data/PG_VERSION' : 'snapshot.squashfs')
    const { status, stderr } = await localRun(psql(`copy (select 1) to '${target}'`))
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/Read-only file system/)
    expect(fingerprint(backup)).toBe(before)
  })

  it('leads COMMAND to itself, wherever the environment points', async () => {
    const { socket, port } = server
    const env = {
      PGHOSTADDR: '127.0.0.1',
      PGHOST: socket,
      PGPORT: String(port),
      PGSERVICE: 'production',
      PGOPTIONS: '-c cluster_name=fooled',
      DATABASE_URL: `postgresql://focker@localhost:${port}/postgres`,
    }
    const show = 'psql -XAtc "show cluster_name"; psql -XAt "$DATABASE_URL" -c "show cluster_name"'
    expect((await localRun(['--', 'sh', '-c', show], env)).stdout).toBe(`pgbk ${id}\npgbk ${id}`)
  })

  it("passes on COMMAND's exit status, also when there is no such program or a signal ends it", async () => {
    expect((await localRun(['--', 'sh', '-c', 'exit 42'])).status).toBe(42)
    expect((await localRun(['--', 'sh', '-c', 'kill -TERM $$'])).status).toBe(143)
    expect((await localRun(['--', 'no-such-program'])).status).toBe(127)
  })

  it('takes settings and runs SQL before COMMAND', async () => {
    const sql = join(aDirectory(), 'mask.sql')
    writeFileSync(sql, 'update ledger set at = null; delete from ledger where id > 10;', { mode: 0o644 })
    const statement = 'select count(*), count(at) from ledger; show work_mem'
    const { stdout } = await localRun([
      '-c',
      'work_mem=7MB',
      '--dbname',
      'app',
      '--sql',
      sql,
      ...psql(statement),
    ])
    expect(stdout).toBe('10|0\n7MB')
  })

  it('runs several times at once on one backup', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => localRun(psql('select pg_sleep(0.5), 7'))))
    expect(runs.map(({ status, stdout }) => [status, stdout])).toEqual(runs.map(() => [0, '|7']))
    expect(readdirSync(join(root, 'data/run'))).toEqual([])
  })

  it('detached, goes on until it is stopped, and keeps its backup from being deleted', async () => {
    const options = { asRoot, env: cache }
    const { run } = JSON.parse((await localRun(['--detach', '--json'])).stdout)
    const { runs } = JSON.parse((await runPgbk(['instance', 'list', '-C', root, '--json'], options)).stdout)
    expect(runs.map(({ name, port }: { name: string; port: number }) => [name, port])).toEqual([
      [run.name, run.port],
    ])
    const refused = await runPgbk(['delete', '-C', root, '--last', id], options)
    expect({ status: refused.status, named: refused.stderr.includes(run.name) }).toEqual({
      status: 1,
      named: true,
    })
    expect((await runPgbk(['instance', 'stop', '-C', root, run.name], options)).status).toBe(0)
    expect(readdirSync(join(root, 'data/run'))).toEqual([])
    expect(existsSync(`/tmp/.s.PGSQL.${run.port}`)).toBe(false)
    await until('no process of it is left', () => pidsIn(root).length === 0)
  })

  it('after kill -9 leaves no server and no directory', async () => {
    const child = startPgbk(['local-run', '-C', root], { asRoot, env: cache })
    while (!String(await firstOutput(child)).includes('psql')) await sleep(10)
    const [name = ''] = readdirSync(join(root, 'data/run'))
    const { server: started } = JSON.parse(
      readFileSync(join(root, 'data/run', name, '.pgbk-run.json'), 'utf8'),
    )
    child.kill('SIGKILL')
    await child
    for (let waited = 0; existsSync(join(root, 'data/run', name)) && waited < 10_000; waited += 50)
      await sleep(50)
    expect(readdirSync(join(root, 'data/run'))).toEqual([])
    expect(existsSync(`/proc/${started.pid}`)).toBe(false)
    await until('no process of it is left', () => pidsIn(root).length === 0)
  })
})

async function firstOutput(child: ReturnType<typeof startPgbk>): Promise<string> {
  return new Promise((resolve) => child.stdout?.once('data', (chunk) => resolve(String(chunk))))
}
