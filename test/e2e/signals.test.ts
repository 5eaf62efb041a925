import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import {
  aServerOf,
  grow,
  pressCtrlC,
  startInItsOwnGroup,
  startSlowCreate,
  untilItCopies,
} from '../helpers/copying.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { aRoot, type TestServer } from '../helpers/server.js'
import { entriesOf, idsIn, noTraces, tracesOf, until } from '../helpers/traces.js'

const statuses: [NodeJS.Signals, number][] = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]

describe('a create that is ended while it copies', () => {
  let server: TestServer
  let root: string
  beforeAll(async () => {
    server = await aServerOf(120, { major: anyMajor })
    root = await aRoot()
  })

  it.each(statuses)('by %s has exit status %i and leaves nothing behind', async (signal, status) => {
    const child = startSlowCreate(server, root)
    await untilItCopies(server)
    expect(await tracesOf(root, server)).not.toEqual(noTraces)
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(idsIn(root)).toEqual([])
  })

  it('says in one JSON document that it was interrupted', async () => {
    const child = startSlowCreate(server, root, ['--json'])
    await untilItCopies(server)
    child.kill('SIGINT')
    const { stdout } = await child
    expect(JSON.parse(String(stdout)).error.code).toBe('interrupted')
  })

  it('by Ctrl-C, which reaches the whole process group, leaves nothing behind', async () => {
    const child = startInItsOwnGroup(['create', '-C', root, '--max-rate', '5M'], server.env)
    await untilItCopies(server)
    pressCtrlC(child)
    expect((await child).exitCode).toBe(130)
    expect(await tracesOf(root, server)).toEqual(noTraces)
  })

  it('is followed by one that succeeds', async () => {
    expect((await runPgbk(['create', '-C', root], { env: server.env })).status).toBe(0)
    expect(idsIn(root)).toHaveLength(1)
    expect(entriesOf(root).filter((name) => name.startsWith('.') && !/\.(lock|json)$/.test(name))).toEqual([])
  })
})

describe.each(oldestAndNewest)('a create that waits for a spread checkpoint of PostgreSQL %i', (major) => {
  let server: TestServer
  let root: string
  const spread = () => ['create', '-C', root, '--checkpoint', 'spread']
  beforeAll(async () => {
    server = await aServerOf(1, {
      major,
      settings: { checkpoint_timeout: '1h', checkpoint_completion_target: '0.9', max_wal_size: '10GB' },
    })
    root = await aRoot()
  })

  it.each(statuses)('ends by %s with status %i, and its WAL sender with it', async (signal, status) => {
    await grow(server, 40, `before_${signal}`)
    const child = startPgbk(spread(), { env: server.env })
    await untilItWaitsForTheCheckpoint(server)
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(await tracesOf(root, server)).toEqual(noTraces)
  })

  it('leaves nothing behind when Ctrl-C is pressed again and again', async () => {
    await grow(server, 40, 'before_many')
    const child = startInItsOwnGroup(spread(), server.env)
    await untilItWaitsForTheCheckpoint(server)
    for (let press = 0; press < 10; press++) {
      pressCtrlC(child)
      await sleep(30)
    }
    const { exitCode, signal } = await child
    // The last one may come when node has already let go of its handlers: a shell sees 130 then too.
    expect(exitCode ?? signal).toBe(exitCode === undefined ? 'SIGINT' : 130)
    expect(await tracesOf(root, server)).toEqual(noTraces)
  })

  it('is followed by one that succeeds', async () => {
    expect((await runPgbk(['create', '-C', root], { env: server.env })).status).toBe(0)
  })
})

async function untilItWaitsForTheCheckpoint(server: TestServer): Promise<void> {
  await until('a WAL sender waits for the checkpoint', async () => {
    const waiting = await server.sql(`select count(*) from pg_stat_activity
      where backend_type = 'walsender' and wait_event in ('CheckpointDone', 'CheckpointStart')`)
    return waiting === '1'
  })
}
