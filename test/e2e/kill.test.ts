import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import {
  aServerOf,
  pressCtrlC,
  type RunningPgbk,
  startInItsOwnGroup,
  startSlowCreate,
  untilItCopies,
} from '../helpers/copying.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aRoot, aServer, conninfo, openSnapshot, type TestServer, verifies } from '../helpers/server.js'
import { backupProcessesIn, idsIn, madeBy, noTraces, tracesOf, until } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'

const ways: [string, number, (child: RunningPgbk) => void][] = [
  ['SIGINT', roundsOf(1), (child) => child.kill('SIGINT')],
  ['SIGTERM', roundsOf(1), (child) => child.kill('SIGTERM')],
  ['Ctrl-C', roundsOf(1), pressCtrlC],
  ['SIGKILL', roundsOf(3), (child) => child.kill('SIGKILL')],
]

describe('creates that are ended at random moments', () => {
  let server: TestServer
  let length: number
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    const started = Date.now()
    await create(await aRoot(), server)
    length = Date.now() - started
  })

  it.each(ways)(
    'by %s leave only whole backups, and no trace',
    async (name, rounds, end) => {
      const root = await aRoot()
      await create(root, server)
      for (const delay of randomNumbers(rounds, 1.1 * length, name)) {
        const before = idsIn(root)
        const { status, hangs } = await endAfter(delay, root, server, end)
        const made = idsIn(root).filter((id) => !before.includes(id))
        const seen = { seed, delay, hangs, made: made.length, faulty: await faultyOf(root, made) }
        expect(seen).toEqual({ seed, delay, hangs: false, made: madeBy(status, made.length), faulty: [] })
        expect(await listed(root)).toEqual(idsIn(root))
        if (name === 'SIGKILL') await create(root, server)
        expect({ seed, delay, ...(await tracesOf(root, server)) }).toEqual({ seed, delay, ...noTraces })
      }
      await create(root, server)
      await opens(root, idsIn(root))
    },
    20_000 * Math.max(30, roundsOf(0)),
  )
})

describe('the create after a killed one', () => {
  let server: TestServer
  let root: string
  beforeAll(async () => {
    server = await aServerOf(120, { major: anyMajor, settings: { max_wal_senders: '6' } })
  })
  afterEach(endDecoys)

  it('ends its orphaned pg_basebackup and no other', async () => {
    root = await aRoot()
    const decoy = await aDecoy(server)
    await leaveOrphans(server, root)
    const { stderr } = await create(root, server)
    expect(stderr).toMatch(/ended the pg_basebackup of \.\d{8}T\d{6}Z\.partial/)
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(backupProcessesIn(decoy)).toHaveLength(2)
  })

  it('has enough WAL senders and slots when that one still holds the last ones', async () => {
    root = await aRoot()
    await aDecoy(server)
    await aDecoy(server)
    await leaveOrphans(server, root)
    await create(root, server)
    expect(await tracesOf(root, server)).toEqual(noTraces)
  })

  it('leaves a directory alone that only looks like a partial, and names it', async () => {
    root = await aRoot()
    await create(root, server)
    const other = join(root, 'data', 'backup', '.20200101T000000Z.partial')
    mkdirSync(other)
    writeFileSync(join(other, 'mine'), 'precious')
    const { stderr } = await create(root, server)
    expect(stderr).toContain(`${other} is left alone`)
    expect(readFileSync(join(other, 'mine'), 'utf8')).toBe('precious')
  })
})

/** Starts a create and ends it; its exit status, if it had one, and whether it went on in spite of the signal. */
async function endAfter(delay: number, root: string, server: TestServer, end: (child: RunningPgbk) => void) {
  const child = startInItsOwnGroup(['create', '-C', root], server.env)
  await Promise.race([child, sleep(delay)])
  end(child)
  let hangs = false
  const patience = setTimeout(() => {
    hangs = true
    child.kill('SIGKILL')
  }, 30_000)
  const { exitCode } = await child
  clearTimeout(patience)
  return { status: exitCode, hangs }
}

async function create(root: string, server: TestServer) {
  const ended = await runPgbk(['create', '-C', root], { env: server.env })
  expect({ seed, ...ended }).toMatchObject({ seed, status: 0 })
  return ended
}

async function listed(root: string): Promise<string[]> {
  const { stdout } = await runPgbk(['list', '-C', root, '--json'])
  return JSON.parse(stdout)
    .backups.map(({ id }: { id: string }) => id)
    .reverse()
}

async function faultyOf(root: string, ids: string[]): Promise<string[]> {
  const faulty: string[] = []
  for (const id of ids) {
    if (!(await verifies(join(root, 'data', 'backup', id, 'snapshot'), anyMajor))) faulty.push(id)
  }
  return faulty
}

/** Starts the oldest, the newest and one in between. */
async function opens(root: string, ids: string[]): Promise<void> {
  for (const id of new Set([ids[0], ids[Math.floor(ids.length / 2)], ids.at(-1)])) {
    const snapshot = await openSnapshot(join(root, 'data', 'backup', id ?? '', 'snapshot'), anyMajor)
    expect(await snapshot.sql('select 1')).toBe('1')
    await snapshot.stop()
  }
}

/** Kills a create while it copies, so that its pg_basebackup stays. */
async function leaveOrphans(server: TestServer, root: string): Promise<void> {
  const child = startSlowCreate(server, root)
  await untilItCopies(server)
  child.kill('SIGKILL')
  await child
  expect(await tracesOf(root, server)).toMatchObject({
    partials: [expect.any(String)],
    processes: expect.arrayContaining([expect.any(Number)]),
    slots: [expect.any(String)],
  })
}

const decoys: ReturnType<typeof startDecoy>[] = []

/** A pg_basebackup that is not pgbk's, two processes that go on for long; returns the directory that they write to. */
async function aDecoy(server: TestServer): Promise<string> {
  const directory = aDirectory('pgbk-decoy-')
  decoys.push(startDecoy(server, directory))
  await until('the decoy copies', () => backupProcessesIn(directory).length === 2)
  return directory
}

function startDecoy(server: TestServer, directory: string) {
  const [file = '', ...args] = [
    ...asUser(),
    `${server.bin}/pg_basebackup`,
    `--pgdata=${directory}/data`,
    '--max-rate=1M',
    '--checkpoint=fast',
    `--dbname=${conninfo(server)} application_name=decoy`,
  ]
  return execa(file, args, { cwd: '/', reject: false, stdin: 'ignore', detached: true })
}

async function endDecoys(): Promise<void> {
  for (const decoy of decoys.splice(0)) {
    if (decoy.exitCode === null) process.kill(-(decoy.pid as number), 'SIGTERM')
    await decoy
  }
}
