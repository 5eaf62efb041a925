import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

let server: TestServer
let root: string
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  root = await aRoot()
})

const lastCreate = () => JSON.parse(readFileSync(join(root, 'data/backup/.last-create.json'), 'utf8'))
const status = async (...args: string[]) => {
  const ended = await runPgbk(['status', '--json', '-C', root, ...args], { env: server.env })
  return { ...ended, ...JSON.parse(ended.stdout) }
}
const create = (...args: string[]) => runPgbk(['create', '-C', root, ...args], { env: server.env })

describe('how the last create ended', () => {
  it('is told after one that made a backup', async () => {
    const { record } = await aBackupOf(server, { root, args: ['--scheduled'] })
    expect(lastCreate()).toMatchObject({
      format: 1,
      ok: true,
      scheduled: true,
      backup: record.id,
      error: null,
    })
    expect(await status()).toMatchObject({ status: 0, ok: true, newest: record.id, problems: [] })
  })

  it('is told after one that failed', async () => {
    await server.stop()
    expect((await create()).status).toBe(5)
    await server.start()
    expect(lastCreate()).toMatchObject({ ok: false, scheduled: false, backup: null })
    const { status: exit, problems, last_create } = await status()
    expect([exit, problems.length, problems[0].severity]).toEqual([0, 1, 'warning'])
    expect(problems[0].text).toMatch(/^the last create failed: cannot connect to the server/)
    expect(last_create.error.code).toBe('unreachable')
  })

  it('is told after one that was interrupted', async () => {
    const running = startPgbk(['create', '-C', root, '--max-rate', '1M'], { env: server.env })
    await until('it copies', () => lastStepOf(root) !== undefined)
    running.kill('SIGINT')
    expect((await running).exitCode).toBe(130)
    expect(lastCreate()).toMatchObject({ ok: false, error: { code: 'interrupted' } })
  })

  it('is left to the one that is at work', async () => {
    const running = startPgbk(['create', '-C', root, '--max-rate', '4M'], { env: server.env })
    await until('it copies', () => lastStepOf(root) !== undefined)
    const before = lastCreate()
    expect((await create('--scheduled')).status).toBe(4)
    expect(lastCreate()).toEqual(before)
    expect((await running).exitCode).toBe(0)
    expect(lastCreate()).toMatchObject({ ok: true, scheduled: false })
  })

  it('leaves nothing where there is no root yet', async () => {
    const place = join(await aRoot(), 'new')
    const { status: exit } = await runPgbk(['create', '-C', place, '-h', '/nowhere'])
    expect(exit).toBe(5)
    expect(() => readFileSync(join(place, 'data/backup/.last-create.json'))).toThrow('ENOENT')
  })
})

describe('the WAL receiver in the status', () => {
  it('is alive, lost after a kill -9, with the WAL that the server keeps for it', async () => {
    const receiver = startPgbk(['wal', 'receive', '-C', root], { env: server.env })
    await until('it receives', async () => (await status()).receiver === 'alive')
    await until('it has all', async () => (await status('--max-lag', '5s')).status === 0)
    const alive = await status('--max-lag', '1m')
    receiver.kill('SIGKILL')
    expect(alive).toMatchObject({ status: 0, receiver: 'alive', problems: [] })
    await receiver
    await server.sql('create table t as select generate_series(1, 100000) as n; select pg_switch_wal()')
    const lost = await status()
    expect(lost).toMatchObject({ status: 0, receiver: 'lost' })
    expect(lost.problems).toEqual([{ severity: 'warning', text: 'the WAL receiver is not running' }])
    expect(lost.retained_wal_bytes).toBeGreaterThan(1_000_000)
    await server.stop()
    expect((await status()).retained_wal_bytes).toBeNull()
  })
})

/** The manifest of pg_basebackup comes last: while its copy has none, it is at work. */
function lastStepOf(place: string): string | undefined {
  const names = readdirSync(join(place, 'data/backup')).filter((name) => name.endsWith('.partial'))
  return names.find((name) => existsSync(join(place, 'data/backup', name, 'snapshot/data/PG_VERSION')))
}
