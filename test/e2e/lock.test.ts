import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aServerOf, startSlowCreate, untilItCopies } from '../helpers/copying.js'
import { runPgbk } from '../helpers/pgbk.js'
import { wordsOf } from '../helpers/process-list.js'
import { anyMajor } from '../helpers/programs.js'
import { aRoot, type TestServer } from '../helpers/server.js'
import { idsIn, noTraces, tracesOf } from '../helpers/traces.js'

describe('the lock on a root', () => {
  let server: TestServer
  let root: string
  beforeAll(async () => {
    server = await aServerOf(40, { major: anyMajor })
  })
  beforeEach(async () => {
    root = await aRoot()
  })
  const create = (...args: string[]) => runPgbk(['create', '-C', root, ...args], { env: server.env })

  it('makes a second create end at once with status 4, naming who holds it', async () => {
    const first = startSlowCreate(server, root)
    await untilItCopies(server)
    const { status, stdout } = await create('--json')
    const { code, message } = JSON.parse(stdout).error
    expect({ status, code }).toEqual({ status: 4, code: 'locked' })
    expect(message).toMatch(/another pgbk holds the lock on this root: a create since \d{4}-\d\d-\d\dT/)
    expect(first.exitCode).toBeNull()
    first.kill('SIGTERM')
    await first
  })

  it('lets exactly one of two creates through that start in the same moment', async () => {
    // So that the second, which tries more than once, does not find the first at its end.
    const slow = ['--max-rate', '30M']
    const statuses = (await Promise.all([create(...slow), create(...slow)])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([0, 4])
    expect(idsIn(root)).toHaveLength(1)
    expect(await tracesOf(root, server)).toEqual(noTraces)
  })

  it('does not keep another backup from being deleted, listed and shown while a long create runs', async () => {
    await create()
    await create()
    const [older = '', newer] = idsIn(root)
    const long = startSlowCreate(server, root)
    await untilItCopies(server)
    expect((await runPgbk(['delete', '-C', root, older])).status).toBe(0)
    expect((await runPgbk(['show', '-C', root, 'latest'])).stdout).toContain(newer)
    expect((await runPgbk(['list', '-C', root])).stdout).toContain(newer)
    expect(long.exitCode).toBeNull()
    long.kill('SIGTERM')
    await long
    expect(idsIn(root)).toEqual([newer])
  })

  it('is free as soon as its holder was killed', async () => {
    const holder = startSlowCreate(server, root)
    await untilItCopies(server)
    holder.kill('SIGKILL')
    await holder
    expect(await create()).toMatchObject({ status: 0 })
  })

  it('that is lost ends the create which had it: never are there two, and nothing is published', async () => {
    const first = startSlowCreate(server, root)
    await untilItCopies(server)
    const lock = join(root, 'data', 'backup', '.create.lock')
    const holder = readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && wordsOf(pid).includes(lock))
    process.kill(-Number(holder), 'SIGKILL')
    const { exitCode, stderr } = await first
    expect(exitCode).toBe(1)
    expect(String(stderr)).toContain(`the lock ${lock} was lost`)
    expect(idsIn(root)).toEqual([])
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(await create()).toMatchObject({ status: 0 })
    expect(idsIn(root)).toHaveLength(1)
  })

  it('may stay behind as a file, which locks nobody out', async () => {
    await create()
    expect(existsSync(join(root, 'data', 'backup', '.create.lock'))).toBe(true)
    expect(await create()).toMatchObject({ status: 0 })
    expect(idsIn(root)).toHaveLength(2)
  })

  it('and a create leave alone what is not theirs', async () => {
    await create()
    const others = ['.20200101T000000Z.download', '.something-else'].map((name) =>
      join(root, 'data', 'backup', name),
    )
    for (const other of others) {
      mkdirSync(other)
      writeFileSync(join(other, 'half'), 'of a file')
    }
    expect(await create()).toMatchObject({ status: 0 })
    for (const other of others) expect(readFileSync(join(other, 'half'), 'utf8')).toBe('of a file')
    expect((await runPgbk(['list', '-C', root])).stderr).toBe('')
  })
})
