import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { isAlive } from '../../src/system/process/process-table.js'
import { aBackupOf, aFile, aTwinOf } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEndOfFile } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { type Receiver, startReceiver, untilReceived } from '../helpers/receiver.js'
import { ask, restored } from '../helpers/restore.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

needs(...needed).describe('wal receive, where the configuration has a store', () => {
  let server: TestServer
  let root: string
  let near: string
  let id: string
  let receiver: Receiver
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await server.sql('create table sent (n int)')
    root = await aRoot()
    near = join(aDirectory(), 'near')
    await runPgbk(['list', '-C', root])
    const config = { root, stores: { near: { url: near, upload: 'always', partial_every: '1 second' } } }
    await aFile(join(root, '.pgbkrc.json'), JSON.stringify(config))
    renameSync(aDirectory(), near)
    const { record } = await aBackupOf(server, { root, cwd: root })
    id = record.id
    receiver = startReceiver(root, { env: server.env, cwd: root })
    atEndOfFile(async () => void (await receiver.end()))
  }, 120_000)
  const pgbk = (...args: string[]) => runPgbk(args, { cwd: root, env: server.env })
  const status = async () => JSON.parse((await pgbk('status', '--json')).stdout)
  const walThere = () => readdirSync(join(near, 'data/backup', id, 'wal'))
  const newestHere = () =>
    readdirSync(join(root, 'data/backup', id, 'wal'))
      .filter((name) => /^[0-9A-F]{24}/.test(name))
      .sort()
      .at(-1)

  it('sends finished segments and the last one as it is, so that a burnt machine loses seconds', async () => {
    await server.sql('insert into sent select generate_series(1, 1000)')
    await untilReceived(server, root)
    await server.sql('insert into sent values (1001)')
    const lsn = await server.sql('select pg_current_wal_flush_lsn()')
    await until(`${lsn} is in the store`, async () => {
      const { stdout } = await runPgbk([
        'local-run',
        '-C',
        near,
        '--to-latest',
        '--',
        'psql',
        '-XAtc',
        'select count(*) from sent',
      ])
      return stdout.trim() === '1001'
    })
    const { stores } = await status()
    expect(stores).toMatchObject([{ name: 'near', last_backup: id, missing: [], wal_error: null }])
    expect(stores[0].wal_lag_seconds).toBeLessThan(60)
    expect((await pgbk('wal', 'status')).stdout).toMatch(/Store +near: all until/)
    const instance = await restored(near, ['latest', '--name', 'burnt'])
    expect(await ask(instance, 'select count(*) from sent', 'postgres')).toBe('1001')
  }, 120_000)

  it('goes on receiving while the store is away, keeps what that lacks from prune, and catches up', async () => {
    renameSync(near, `${near}.away`)
    await until('it is noted', async () => (await status()).stores[0].wal_error !== null)
    await server.sql('insert into sent select generate_series(1, 1000)')
    await untilReceived(server, root)
    expect((await status()).problems).toContainEqual({
      severity: 'warning',
      text: expect.stringContaining('has come into the store near'),
    })
    const twin = await aTwinOf(
      {
        root,
        directory: join(root, 'data/backup', id),
        record: recordOf(await pgbk('show', id, '--json')),
        snapshot: '',
        stderr: '',
      },
      '20250101T000000Z',
    )
    const judged = JSON.parse((await pgbk('prune', '--dry-run', '--default-policy', '--json')).stdout)
    const reasons = judged.kept.find((one: { id: string }) => one.id === twin.record.id)?.reasons
    expect(reasons).toContainEqual({ rule: 'in use', detail: 'by the store near, which lacks WAL of it' })
    renameSync(`${near}.away`, near)
    await receiver.untilItSays(/comes into the store near again/)
    const newest = newestHere()
    await until('the store has it', () => walThere().includes(newest ?? ''))
    expect((await status()).problems).toEqual([])
  }, 120_000)

  it('receives on, and ends when it is told to, while what sends WAL hangs', async () => {
    const { stdout } = await run(['pgrep', '-f', '--', `-C ${root} --sends`])
    const sender = Number(stdout)
    process.kill(sender, 'SIGSTOP')
    atEndOfFile(async () => void process.kill(sender, 'SIGKILL'))
    await server.sql('insert into sent select generate_series(1, 1000)')
    await untilReceived(server, root)
    process.kill(receiver.pid, 'SIGTERM')
    await until('the receiver has ended', async () => (await status()).receiver === 'ended')
    await until('its process has gone', () => !isAlive(receiver.pid))
  }, 120_000)
})

function recordOf({ stdout }: { stdout: string }) {
  const {
    directory: _directory,
    form: _form,
    state: _state,
    hold: _hold,
    proof: _proof,
    own_bytes: _own,
    window: _window,
    ...record
  } = JSON.parse(stdout).backup
  return record
}
