import { readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { startPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest, run, shareOf } from '../helpers/programs.js'
import { aDiskWithReflinks, type ReflinkFileSystem } from '../helpers/reflink-disk.js'
import { pgbkIn } from '../helpers/restore.js'
import { aServer, fill, openSnapshot, type TestServer } from '../helpers/server.js'
import { idsIn, noTraces, tracesOf, until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

const { describe: onReflinks } = needs(
  'root',
  'mounts',
  'loop devices',
  'program mkfs.xfs',
  'program mkfs.btrfs',
)

/** Without the tokens that each pg_dump draws (17.6), and what is another in a run: where tablespaces are, how its role logs in. */
function plain(dump: string): string {
  return dump
    .replaceAll(/^\\(un)?restrict .*$/gm, '')
    .replaceAll(/^(CREATE TABLESPACE .*) LOCATION .*$/gm, '$1')
    .replaceAll(" VALID UNTIL 'infinity'", '')
}

async function dumpOf({ bin, env }: TestServer): Promise<string> {
  const { stdout } = await run([`${bin}/pg_dumpall`, '--no-role-passwords'], {
    env: { ...process.env, ...env },
  })
  return plain(stdout)
}

async function dumpOfRun({ root, record }: MadeBackup): Promise<string> {
  const { stdout } = await localRun(root, [record.id, '--', 'pg_dumpall', '--no-role-passwords'])
  return plain(stdout)
}

/** What happens to a server's files between backups: half of it on each file system, of new databases on the newest major. */
const changes: [string, (server: TestServer) => Promise<unknown>][] = [
  [
    'grown, changed and truncated tables',
    async ({ sql }) => {
      await sql(
        'insert into ledger select generate_series(1001, 9000); update ledger set at = now() where id % 50 = 0',
        'app',
      )
      await sql('truncate elsewhere; checkpoint', 'app')
    },
  ],
  [
    'dropped, recreated and rewritten tables',
    async ({ sql }) => {
      await sql('drop table parts; create table parts as select generate_series(1, 5000) as n', 'app')
      await sql('vacuum full ledger', 'app')
    },
  ],
  [
    'a new tablespace, and a table that moves there',
    async (server) => {
      const place = join(server.directory, 'three')
      await run(['mkdir', place])
      await server.sql(`create tablespace three location '${place}'`)
      await server.sql('alter table ledger set tablespace three', 'app')
    },
  ],
  [
    'new databases, by each strategy, and a dropped one',
    async ({ sql, major }) => {
      await sql('drop database "strange name"')
      await sql('create database copied template app')
      if (major >= 15)
        await sql(
          'create database logged template app strategy wal_log; create database filed template app strategy file_copy',
        )
    },
  ],
  [
    'a crash',
    async (server) => {
      await server.sql('delete from ledger where id % 3 = 0', 'app')
      await server.stop('immediate')
      await server.start()
    },
  ],
  [
    'another timeline',
    async (server) => {
      await server.stop()
      writeFileSync(join(server.data, 'recovery.signal'), '')
      await run([
        'sh',
        '-c',
        'echo "restore_command = false" >>"$1"',
        'sh',
        join(server.data, 'postgresql.conf'),
      ])
      await server.start()
      await until(
        'the server has left recovery',
        async () => (await server.sql('select pg_is_in_recovery()')) === 'f',
      )
      await server.sql('insert into parts values (1)', 'app')
    },
  ],
]

const places: [ReflinkFileSystem, number][] = [
  ['xfs', Math.max(...oldestAndNewest)],
  ['btrfs', Math.min(...oldestAndNewest)],
]

onReflinks.each(places)('backups on %s of PostgreSQL %i', (type, major) => {
  let server: TestServer
  let root: string
  const made: MadeBackup[] = []
  const make = async (...args: string[]) => {
    const before = made.map(({ directory }) => fingerprint(directory))
    const backup = await aBackupOf(server, { root, args })
    expect(made.map(({ directory }) => fingerprint(directory))).toEqual(before)
    made.push(backup)
    return backup
  }
  beforeAll(async () => {
    server = await aServer({ major })
    await fill(server)
    // It is empty in a copy.
    await server.sql('drop table scratch', 'app')
    root = aDiskWithReflinks(type, 1500)
    await make()
  }, 120_000)

  it('share what has not changed, and say so', async () => {
    expect(made[0]?.record.shared).toBeUndefined()
    const { record } = await make('--label', 'nothing has changed')
    expect(record.shared?.with).toEqual([made[0]?.record.id])
    // All but WAL, twice, and what each backup has of its own.
    expect(record.size_bytes - (record.shared?.bytes ?? 0)).toBeLessThan(3 * record.wal_segment_size)
    const { stdout } = await pgbkIn(root, ['list'])
    expect(stdout).toMatch(/ SIZE +OWN /)
    expect((await pgbkIn(root, ['show', record.id])).stdout).toMatch(/Shared +\d.* with .* of its own/)
  })

  it('have the contents of the server, whatever happens to its files', async () => {
    for (const [what, change] of shareOf(changes, major)) {
      await change(server)
      await server.sql('checkpoint')
      const wanted = await dumpOf(server)
      const backup = await make('--label', what)
      expect(backup.record).toMatchObject({ verified: true, shared: { with: expect.anything() } })
      expect(`${what}: ${await dumpOfRun(backup)}`).toBe(`${what}: ${wanted}`)
    }
    const { status, stdout } = await pgbkIn(root, ['verify', '--all'])
    expect({ status, stdout: status === 0 ? '' : stdout }).toEqual({ status: 0, stdout: '' })
  }, 300_000)

  it('do not change when a server is started in one of them, or one is deleted', async () => {
    const [first, second, third, ...others] = made as [MadeBackup, MadeBackup, MadeBackup, ...MadeBackup[]]
    const before = others.map(({ directory }) => fingerprint(directory))
    const opened = await openSnapshot(second.snapshot, major)
    await opened.sql('update ledger set at = null; checkpoint', 'app')
    await opened.stop()
    expect((await pgbkIn(root, ['verify', third.record.id])).status).toBe(0)
    const { stdout } = await pgbkIn(root, ['delete', first.record.id, third.record.id, '--yes', '--json'])
    const [deleted] = JSON.parse(stdout).deleted
    expect(deleted.freed_bytes).toBeLessThan(deleted.size_bytes / 2)
    expect(others.map(({ directory }) => fingerprint(directory))).toEqual(before)
    expect((await pgbkIn(root, ['verify', '--all'])).status).not.toBe(1)
  })
})

/** Bytes. */
function usedIn(directory: string): number {
  execaSync('sync', ['-f', directory])
  const { blocks, bfree, bsize } = statfsSync(directory)
  return (blocks - bfree) * bsize
}

onReflinks('a backup that is compared with the one before it', () => {
  let server: TestServer
  let root: string
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, settings: { autovacuum: 'off' } })
    await server.sql('create table bulk as select g, md5(g::text) from generate_series(1, 300000) g')
    await server.sql('vacuum freeze')
    await server.sql('checkpoint')
    root = aDiskWithReflinks('xfs', 1500)
    await aBackupOf(server, { root })
  })

  it('takes as little of an XFS as has changed, from cron too', async () => {
    const env = { PATH: '/usr/bin:/bin' }
    const next = await aBackupOf(server, { root, env })
    await server.sql(`update bulk set md5 = reverse(md5) where g % 1000 = 1; checkpoint`)
    const before = usedIn(root)
    const { record } = await aBackupOf(server, { root, env })
    expect(record.shared?.with[0]).toBe(next.record.id)
    // A segment of WAL, 300 pages, and what the file system notes; with 128 kB for each page it would be the whole table.
    await until('the disk has what is free again', () => usedIn(root) - before < 28 * 2 ** 20)
  })

  it('takes nothing from it that has rotted there', async () => {
    const first = await aBackupOf(server, { root })
    const path = `data/${await server.sql("select pg_relation_filepath('bulk')")}`
    const file = join(first.snapshot, path)
    const good = readFileSync(file)
    const rotten = Buffer.from(good)
    rotten[100_000] = ~(rotten[100_000] ?? 0) & 255
    writeFileSync(file, rotten)
    const next = await aBackupOf(server, { root })
    expect(next.record).toMatchObject({
      verified: true,
      shared: { with: [first.record.id, ...(first.record.shared?.with ?? [])] },
    })
    expect(readFileSync(join(next.snapshot, path)).equals(good)).toBe(true)
    expect((await pgbkIn(root, ['verify', first.record.id])).status).toBe(6)
    expect((await pgbkIn(root, ['verify', next.record.id])).status).toBe(0)
    writeFileSync(file, good)
  })

  it('stands alone when that is wanted, every so often, or when nothing would check it', async () => {
    const alone = await aBackupOf(server, { root, args: ['--independent'] })
    const shares = await aBackupOf(server, { root, env: { PGBK_CREATE_INDEPENDENT_EVERY: '2' } })
    const second = await aBackupOf(server, { root, env: { PGBK_CREATE_INDEPENDENT_EVERY: '2' } })
    const unchecked = await aBackupOf(server, { root, args: ['--no-verify'] })
    const off = await aBackupOf(server, { root, env: { PGBK_CREATE_THIN: 'off' } })
    const sharing = [alone, shares, second, unchecked, off].map(({ record }) => record.shared?.with[0])
    expect(sharing).toEqual([undefined, alone.record.id, undefined, undefined, undefined])
  })

  it('leaves that one as it was, and no trace, when it is killed meanwhile', async () => {
    const before = idsIn(root).map((id) => fingerprint(join(root, 'data/backup', id)))
    for (const delay of randomNumbers(roundsOf(2), 400, 'kills')) {
      const child = startPgbk(['create', '-C', root], { env: server.env })
      await new Promise<void>((resolve) => {
        child.stderr?.on('data', (text) => String(text).includes('comparing with') && resolve())
        child.once('exit', () => resolve())
      })
      await sleep(delay)
      child.kill('SIGKILL')
      await child
      const after = idsIn(root).slice(0, before.length)
      expect({ seed, delay, same: after.map((id) => fingerprint(join(root, 'data/backup', id))) }).toEqual({
        seed,
        delay,
        same: before,
      })
    }
    await aBackupOf(server, { root })
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect((await pgbkIn(root, ['verify', '--all'])).status).toBe(0)
  })
})
