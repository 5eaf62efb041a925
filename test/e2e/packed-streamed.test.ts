import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { aBackupOf, entriesBelow, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { localRun } from '../helpers/local-run.js'
import { ifMounts, needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest, run } from '../helpers/programs.js'
import { aRoot, aServer, aStandbyOf, type TestServer, verifies } from '../helpers/server.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { withPrograms } from '../helpers/ssh.js'
import { idsIn, madeBy, noTraces, tracesOf, until } from '../helpers/traces.js'

const programs = ['program mksquashfs', 'program squashfuse'] as const
const { describe, it } = needs('user namespaces', '/dev/fuse', ...programs)

/** A server without further tablespaces, whose data directory others may read, and has a file, a link and a directory of the user's. */
async function aPlainServer(major: number): Promise<TestServer> {
  const server = await aServer({ major, initdb: ['--allow-group-access'] })
  await server.sql('create database app')
  await server.sql(
    `create table ledger as select n, repeat(md5(n::text), 20) as text from generate_series(1, 20000) n;
     select lo_from_bytea(4711, 'a large object');`,
    'app',
  )
  const further = 'cd "$1"; echo a note >mine.txt; chmod 640 mine.txt; ln -s /etc/passwd link; mkdir empty'
  await run(['sh', '-c', further, 'sh', server.data])
  return server
}

/** What a cluster holds; psql's restrictions have a new key each time, and the superuser of a run has a password. */
const withoutKeys = (dump: string) => dump.replaceAll(/^(\\(un)?restrict|ALTER ROLE focker) .*$/gm, '').trim()

async function dumpOf(server: TestServer): Promise<string> {
  const { stdout } = await run([`${server.bin}/pg_dumpall`, '--no-sync'], { env: server.env })
  return withoutKeys(stdout)
}

async function dumpOfBackup({ root, record }: MadeBackup, bin: string): Promise<string> {
  const command = ['--', `${bin}/pg_dumpall`, '--no-sync']
  const { status, stdout, stderr } = await localRun(root, [record.id, ...command])
  expect({ status, stderr }).toMatchObject({ status: 0 })
  return withoutKeys(stdout)
}

/** Names, kinds and rights of all that is in a snapshot, but for its WAL. */
function treeOf(snapshot: string): string[] {
  return entriesBelow(snapshot)
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path.slice(snapshot.length)} ${(statSync(path).mode & 0o7777).toString(8)}`)
    .filter((line) => !/\/pg_wal\/.*[0-9A-F]{24}/.test(line))
    .sort()
}

const create = (server: TestServer, root: string, ...args: string[]) =>
  runPgbk(['create', '--packed', '--json', '-C', root, ...args], { env: server.env })

/** What a create that failed has said, and that nothing of it is left. */
async function failedWithoutTraces(server: TestServer, root: string, env: Record<string, string> = {}) {
  const { status, stdout, stderr } = await runPgbk(['create', '--packed', '--json', '-C', root], {
    env: { ...server.env, ...env },
  })
  const { error } = JSON.parse(stdout)
  await until('all processes are gone', async () => (await tracesOf(root, server)).walSenders.length === 0)
  expect({ ...(await tracesOf(root, server)), ids: idsIn(root) }).toEqual({ ...noTraces, ids: [] })
  return { status, stderr, code: error?.code, message: String(error?.message), hint: error?.hint }
}

describe.each(oldestAndNewest)('create --packed of PostgreSQL %i', (major) => {
  let server: TestServer
  let plain: MadeBackup
  let packed: MadeBackup
  beforeAll(async () => {
    server = await aPlainServer(major)
    const root = await aRoot()
    plain = await aBackupOf(server, { root })
    packed = await aBackupOf(server, { root, args: ['--packed', '--label', 'streamed'] })
  })

  it('has what the server has, and a plain one', async () => {
    const dump = await dumpOf(server)
    expect(dump).toContain('COPY public.ledger')
    expect(await dumpOfBackup(packed, server.bin)).toBe(dump)
    expect(await dumpOfBackup(plain, server.bin)).toBe(dump)
    expect(await tracesOf(packed.root, server)).toEqual(noTraces)
    expect(packed.stderr).not.toContain('copied as a directory first')
  })

  it('unpacks to what a plain one is, but for tablespace_map, which a tar always has', async () => {
    expect(readdirSync(packed.directory).sort()).toEqual([
      'README',
      'backup.json',
      'snapshot.squashfs',
      'wal',
    ])
    const snapshot = join(packed.root, 'unpacked')
    const image = join(packed.directory, 'snapshot.squashfs')
    await run(['unsquashfs', '-no-progress', '-d', snapshot, image])
    expect(await verifies(snapshot, major)).toBe(true)
    const extra = '/data/tablespace_map 600'
    expect(treeOf(snapshot).filter((line) => line !== extra)).toEqual(treeOf(plain.snapshot))
    expect(readFileSync(join(snapshot, 'data/postgresql.auto.conf'), 'utf8')).toBe('')
    const { record } = packed
    expect(record).toMatchObject({ format: 2, verified: true, label: 'streamed' })
    const files = entriesBelow(snapshot).filter((entry) => entry.isFile())
    const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
    expect(record.packed?.snapshot_bytes).toBe(bytes)
    expect(record.packed?.bytes).toBe(statSync(image).size)
    expect(Object.keys(record.own_files ?? {})).toEqual(Object.keys(plain.record.own_files ?? {}))
    expect(record.server).toEqual(plain.record.server)
    expect({ skipped: record.skipped, said: packed.stderr.includes('special files of a data') }).toEqual({
      skipped: plain.record.skipped ?? ['link'],
      said: true,
    })
  })

  it('passes verify and its proof, and its window begins', async () => {
    const args = ['verify', packed.record.id, '--prove', '--json', '-C', packed.root]
    const { status, stdout } = await runPgbk(args)
    expect({ status, ...JSON.parse(stdout).checks[0] }).toMatchObject({
      status: 0,
      faults: [],
      proof: { ok: true },
    })
  })
})

describe('a create --packed', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({
      major: anyMajor,
      initdb: ['--wal-segsize=1'],
      settings: { min_wal_size: '2MB', max_wal_size: '2MB' },
    })
    // Nothing can compress it.
    await server.sql(`create table noise as
      select decode(string_agg(md5(random()::text), ''), 'hex') as bytes
      from generate_series(1, 1500000) n group by n / 1000`)
  })

  it.each([
    ['fails at once', 'echo cannot read it >&2; exit 1', 'failed', 'mksquashfs failed: cannot read it'],
    ['is killed in the middle', 'head -c 9000000 >/dev/null; kill -KILL $$', 'failed', 'ended with SIGKILL'],
    ['does not take all', 'head -c 9000000 >/dev/null', 'failed', 'it has not read all of the backup'],
    ['has no room', 'head -c 9000000 >/dev/null; echo No space left on device >&2; exit 1', 'disk-full', ''],
    ['makes something else', 'cat >/dev/null; echo nothing >"$2"', 'damaged', 'cannot be mounted'],
  ])('leaves nothing where mksquashfs %s', async (_title, script, code, message) => {
    const env = withPrograms({
      mksquashfs: `#!/bin/sh\n[ "$1" = -version ] && echo 'mksquashfs version 4.6' && exit\n${script}\n`,
    })
    expect(await failedWithoutTraces(server, await aRoot(), env)).toMatchObject({
      status: 1,
      code,
      message: expect.stringContaining(message),
    })
  })

  ifMounts(
    'leaves nothing where the disk is full, of which it has warned, and says what there was room for',
    async () => {
      const disk = aSmallDisk(20)
      const { stderr, ...failed } = await failedWithoutTraces(server, disk)
      expect(failed).toMatchObject({
        status: 1,
        code: 'disk-full',
        message: expect.stringMatching(
          /^the disk is full: the image of the first [\d.]+ MB of a server of [\d.]+ MB has used up the 1\d\.\d MB that were free in /,
        ),
        hint: expect.stringContaining('Make room there'),
      })
      expect(stderr).toContain('the image may not fit: it needs about ')
      expect(stderr).toContain(`are free in ${disk}/data/backup`)
    },
  )

  it('leaves nothing when its connection to the server is ended', async () => {
    const root = await aRoot()
    const child = startPgbk(['create', '--packed', '-C', root, '--max-rate', '2M'], { env: server.env })
    const senders = async () => (await tracesOf(root, server)).walSenders.length
    await until('it copies', async () => (await senders()) === 2)
    await server.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender' and state = 'active'",
    )
    const { exitCode, stderr } = await child
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('pg_basebackup'),
    })
    expect({ ...(await tracesOf(root, server)), ids: idsIn(root) }).toEqual({ ...noTraces, ids: [] })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('leaves nothing after %s', async (signal) => {
    const root = await aRoot()
    const child = startPgbk(['create', '--packed', '-C', root, '--max-rate', '2M'], { env: server.env })
    await until('it copies', async () => (await tracesOf(root, server)).walSenders.length === 2)
    child.kill(signal)
    expect((await child).exitCode).toBe(signal === 'SIGINT' ? 130 : 143)
    expect({ ...(await tracesOf(root, server)), ids: idsIn(root) }).toEqual({ ...noTraces, ids: [] })
  })

  it('leaves nothing but its directory whenever it is killed, and the next one clears that away', async () => {
    const root = await aRoot()
    const begun = Date.now()
    expect((await create(server, root)).status).toBe(0)
    const before = idsIn(root)
    for (const delay of randomNumbers(roundsOf(2), Date.now() - begun, 'kill streamed')) {
      const child = startPgbk(['create', '--packed', '-C', root], { env: server.env })
      setTimeout(() => child.kill('SIGKILL'), delay)
      const { exitCode } = await child
      const made = idsIn(root).filter((id) => !before.includes(id))
      expect({ seed, delay, made: made.length }).toEqual({ seed, delay, made: madeBy(exitCode, made.length) })
      before.push(...made)
      await until('nothing runs any more', async () => {
        const { partials: _partials, ...others } = await tracesOf(root, server)
        return Object.values(others).every((found) => found.length === 0)
      })
    }
    expect((await create(server, root)).status).toBe(0)
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect(await runPgbk(['verify', '--all', '-C', root])).toMatchObject({ status: 0 })
  })

  it('has all its WAL, however much the server writes and removes meanwhile', async () => {
    const root = await aRoot()
    const child = startPgbk(['create', '--packed', '-C', root, '--max-rate', '8M'], { env: server.env })
    await until('it copies', async () => (await tracesOf(root, server)).walSenders.length > 0)
    for (let round = 0; round < 30 && child.exitCode === null; round++) {
      await server.sql(
        'create table if not exists t (n int); insert into t values (1); select pg_switch_wal()',
      )
      await server.sql('checkpoint')
    }
    expect(await child).toMatchObject({ exitCode: 0 })
    expect(await runPgbk(['verify', 'latest', '-C', root])).toMatchObject({ status: 0 })
  })

  it('that is not to be verified is not, and says so', async () => {
    const root = await aRoot()
    const { status, stdout } = await create(server, root, '--no-verify')
    const { backup } = JSON.parse(stdout)
    expect({ status, verified: backup.verified, by: backup.tools.pg_verifybackup }).toEqual({
      status: 0,
      verified: false,
      by: null,
    })
    expect(await runPgbk(['verify', 'latest', '-C', root])).toMatchObject({ status: 0 })
  })

  it('of a standby ends where the backup does', async () => {
    const standby = await aStandbyOf(server)
    const root = await aRoot()
    const { status, stdout, stderr } = await create(standby, root)
    expect({ status, stderr }).toMatchObject({ status: 0 })
    expect(JSON.parse(stdout).backup).toMatchObject({ server: { in_recovery: true }, verified: true })
    const count = ['--', 'psql', '-XAtqc', 'select count(*) from noise']
    const rows = await localRun(root, ['--dbname', 'postgres', ...count])
    expect({ status: rows.status, stdout: rows.stdout.trim() }).toEqual({ status: 0, stdout: '1501' })
    expect(await tracesOf(root, standby)).toEqual(noTraces)
    await standby.stop()
  })

  it.each([['a mksquashfs that reads no tar', 'mksquashfs version 4.4 (2019/08/29)', 'older than 4.5']])(
    'with %s copies a directory first, and says so',
    async (_title, words, reason) => {
      const env = withPrograms({
        mksquashfs: `#!/bin/sh\n[ "$1" = -version ] && echo '${words}' && exit\nexec /usr/bin/mksquashfs "$@"\n`,
      })
      const { stderr, record } = await aBackupOf(server, { env, args: ['--packed'] })
      expect(stderr).toContain(`copied as a directory first, and packed then: mksquashfs here is ${reason}`)
      expect(record).toMatchObject({ format: 2, verified: true })
    },
  )
})
