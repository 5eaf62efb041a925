import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aServerOf, grow, startSlowCreate, untilItCopies } from '../helpers/copying.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { aProxyTo } from '../helpers/proxy.js'
import { aRoot, aServer, fill, type TestServer } from '../helpers/server.js'
import { idsIn, noTraces, tracesOf, until } from '../helpers/traces.js'

describe('a create whose server goes away', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServerOf(100, { major: anyMajor })
  })

  it.each(['immediate', 'fast'] as const)('by an %s stop fails, says so and leaves nothing', async (mode) => {
    const root = await aRoot()
    const child = startSlowCreate(server, root, ['--json'])
    await untilItCopies(server)
    await server.stop(mode)
    const { exitCode, stdout } = await child
    await server.start()
    const { code, message, hint } = JSON.parse(String(stdout)).error
    expect({ exitCode, code, message }).toMatchObject({ exitCode: 5, code: 'unreachable' })
    expect(hint).toContain('run pgbk create again')
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })

  it.each([
    ['and can be made again', false],
    ['for good', true],
  ])('because connections drop %s, fails and leaves nothing', async (_, isForGood) => {
    const root = await aRoot()
    const proxy = await aProxyTo(server.port)
    const env = { ...server.env, PGHOST: '127.0.0.1', PGPORT: String(proxy.port) }
    const child = startSlowCreate(server, root, ['--json'], env)
    await untilItCopies(server)
    proxy.cut()
    if (isForGood) proxy.close()
    const { exitCode, stdout } = await child
    const { code, message } = JSON.parse(String(stdout)).error
    expect({ exitCode, code, message }).toMatchObject({ exitCode: 5, code: 'unreachable' })
    const hasNoSenders = async () => (await tracesOf(root, server)).walSenders.length === 0
    // Without a connection pgbk cannot end it.
    if (isForGood) await until('the WAL sender has noticed', hasNoSenders)
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })

  it.each([
    ['files', 'select pg_terminate_backend(pid) from pg_stat_progress_basebackup'],
    ['WAL', 'select pg_terminate_backend(active_pid) from pg_replication_slots'],
  ])('because its connection for the %s is ended there, fails and leaves nothing', async (_, ending) => {
    const root = await aRoot()
    const child = startSlowCreate(server, root, ['--json'])
    await untilItCopies(server)
    expect(await server.sql(ending)).toBe('t')
    const { exitCode, stdout } = await child
    const { code, message } = JSON.parse(String(stdout)).error
    expect({ exitCode, code, message }).toMatchObject({ exitCode: 5, code: 'unreachable' })
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })

  it('is followed by one that succeeds', async () => {
    expect(await runPgbk(['create', '-C', await aRoot()], { env: server.env })).toMatchObject({ status: 0 })
  })
})

describe.each(oldestAndNewest)('a damaged page on PostgreSQL %i', (major) => {
  it('ends the create, which names the file, and leaves nothing', async () => {
    const server = await aServer({ major, checksums: true })
    await fill(server)
    await grow(server, 4, 'hurt')
    const file = await damage(server, 'hurt')
    const root = await aRoot()
    const { status, stdout } = await runPgbk(['create', '-C', root, '--json'], { env: server.env })
    const { code, message, hint } = JSON.parse(stdout).error
    expect({ status, code }).toEqual({ status: 1, code: 'damaged' })
    expect(message).toContain(file)
    expect(hint).toContain('damaged')
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })
})

/** Writes garbage into the rows of a table's twentieth page, whose header stays; returns the file's path. */
async function damage(server: TestServer, table: string): Promise<string> {
  const path = await server.sql(`checkpoint; select pg_relation_filepath('${table}')`)
  await server.stop()
  const file = openSync(join(server.data, path), 'r+')
  writeSync(file, Buffer.alloc(500, 0xa5), 0, 500, 20 * 8192 + 4000)
  closeSync(file)
  await server.start()
  return path
}
