import { existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest, run } from '../helpers/programs.js'
import {
  type Archive,
  archivesOf,
  faultsOf,
  makeLedger,
  replayed,
  startReceiver,
  untilReceived,
} from '../helpers/receiver.js'
import { aRoot, aServer, aStandbyOf, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

interface Pair {
  primary: TestServer
  standby: TestServer
  root: string
  /** Leads to whichever of them is the primary. */
  env: Record<string, string>
}

async function aPair(major: number): Promise<Pair> {
  const primary = await aServer({ major, initdb: ['--wal-segsize=1'] })
  await makeLedger(primary)
  await primary.sql("alter system set wal_keep_size = '64MB'")
  await primary.sql('select pg_reload_conf()')
  const standby = await aStandbyOf(primary)
  const env = {
    PGHOST: `${primary.socket},${standby.socket}`,
    PGPORT: `${primary.port},${standby.port}`,
    PGUSER: primary.superuser,
    PGTARGETSESSIONATTRS: 'read-write',
  }
  return { primary, standby, root: await aRoot(), env }
}

/** So many transactions, and about half a segment. */
const write = (server: TestServer, rows = 1500) =>
  server.sql(
    `insert into ledger select (select coalesce(max(n), 0) from ledger) + g, clock_timestamp(), repeat('x', 300) from generate_series(1, ${rows}) g`,
  )

const rowsOf = async (server: TestServer) => Number(await server.sql('select count(*) from ledger'))

async function hasAll(standby: TestServer, primary: TestServer): Promise<void> {
  const lsn = await primary.sql('select pg_current_wal_flush_lsn()')
  await until('the standby has all', async () => {
    return (await standby.sql(`select pg_last_wal_replay_lsn() >= '${lsn}'`)) === 't'
  })
}

const promote = (server: TestServer) => run([`${server.bin}/pg_ctl`, '-D', server.data, '-w', 'promote'])

function newestOf(root: string): Archive {
  const archive = archivesOf(root).at(-1)
  if (!archive) throw new Error('no archive')
  return archive
}

describe.each(oldestAndNewest)('a receiver over a failover of PostgreSQL %i', (major) => {
  it('follows to the new timeline, without a gap or a lost row', async () => {
    const { primary, standby, root, env } = await aPair(major)
    await aBackupOf(primary, { root })
    const receiver = startReceiver(root, { env })
    await receiver.untilItSays(/receiving WAL .* timeline 1/)
    for (let count = 0; count < 3; count++) await write(primary)
    await hasAll(standby, primary)
    await primary.stop()
    await promote(standby)
    for (let count = 0; count < 3; count++) await write(standby)
    await receiver.untilItSays(/receiving WAL .* timeline 2/)
    const end = await untilReceived(standby, root)
    await receiver.end()
    const archive = newestOf(root)
    expect(await faultsOf(archive, end)).toEqual([])
    expect(archive.wal.timelines.map(({ timeline }) => timeline)).toEqual([1, 2])
    const rows = await rowsOf(standby)
    expect(await replayed(archive, root)).toEqual({ rows, last: rows })
  })
})

describe('a receiver that has more than the standby which is promoted', () => {
  it('keeps the rest aside and follows the new history; the next backup takes over', async () => {
    const { primary, standby, root, env } = await aPair(anyMajor)
    await aBackupOf(primary, { root })
    const receiver = startReceiver(root, { env })
    await receiver.untilItSays(/receiving WAL .* timeline 1/)
    await write(primary)
    await hasAll(standby, primary)
    await standby.stop()
    for (let count = 0; count < 6; count++) await write(primary)
    await untilReceived(primary, root)
    await primary.stop('immediate')
    await standby.start()
    await promote(standby)
    const kept = await rowsOf(standby)
    await write(standby)
    await receiver.untilItSays(/the server has another history from .* on/)
    await receiver.untilItSays(/receiving WAL .* timeline 2/)
    let end = await untilReceived(standby, root)
    const archive = newestOf(root)
    expect(await faultsOf(archive, end)).toEqual([])
    expect(await replayed(archive, root)).toEqual({ rows: kept + 1500, last: kept + 1500 })
    const aside = join(root, 'data/backup', archive.id, 'wal/diverged')
    expect(existsSync(aside) && readdirSync(aside).length).toBeGreaterThan(1)

    const next = await aBackupOf(standby, { root })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${next.record.id}`))
    await write(standby)
    end = await untilReceived(standby, root, next.record.id)
    await receiver.end()
    expect(await faultsOf(newestOf(root), end)).toEqual([])
    const [older] = archivesOf(root)
    expect(older && (await faultsOf(older, next.record.stop_lsn))).toEqual([])
  })
})

it('a receiver whose server was restored to before its backup leaves that one whole, and goes on with the next', async () => {
  const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
  await makeLedger(server)
  const root = await aRoot()
  await aBackupOf(server, { root })
  const receiver = startReceiver(root, { env: server.env })
  // Without its slot the server would not keep what is written from here on.
  await receiver.untilItSays(/receiving WAL/)
  await write(server)
  const time = await server.sql('select clock_timestamp()')
  for (let count = 0; count < 3; count++) await write(server)
  const two = await aBackupOf(server, { root })
  await receiver.untilItSays(new RegExp(`into the archive of backup ${two.record.id}`))
  await write(server)
  await untilReceived(server, root, two.record.id)
  await server.stop()
  renameSync(server.data, `${server.data}.old`)
  const words = ['restore', '-C', root, '-D', server.data, '--to-time', time, '--start']
  const { status, stderr } = await runPgbk(words)
  expect({ stderr, status }).toMatchObject({ status: 0 })
  expect(await rowsOf(server)).toBe(1500)
  await receiver.untilItSays(/has another history/)
  // What was written after it before the restore can still be reached.
  expect(await replayed(newestOf(root), root)).toEqual({ rows: 7500, last: 7500 })
  const verified = await runPgbk(['verify', two.record.id, '-C', root])
  expect(verified).toEqual({
    status: 0,
    stdout: expect.stringContaining('as it was made'),
    stderr: expect.anything(),
  })
  const three = await aBackupOf(server, { root })
  await receiver.untilItSays(new RegExp(`into the archive of backup ${three.record.id}`))
  await write(server)
  const end = await untilReceived(server, root, three.record.id)
  await receiver.end()
  expect(await faultsOf(newestOf(root), end)).toEqual([])
  // The history that the server has is in order, and can be followed again.
  expect(await replayed(newestOf(root), root)).toEqual({ rows: 3000, last: 3000 })
}, 240_000)

describe('backups from a standby', () => {
  it.each(['primary', 'standby'] as const)(
    'with the receiver on the %s are taken over without a gap',
    async (source) => {
      const { primary, standby, root } = await aPair(anyMajor)
      const receiver = startReceiver(root, { env: source === 'primary' ? primary.env : standby.env })
      await receiver.untilItSays(/waiting for the first one/)
      const ids: string[] = []
      for (let count = 0; count < 2; count++) {
        await write(primary)
        await primary.sql('checkpoint')
        await hasAll(standby, primary)
        ids.push((await aBackupOf(standby, { root })).record.id)
        await receiver.untilItSays(new RegExp(`into the archive of backup ${ids.at(-1)}`))
      }
      for (let count = 0; count < 3; count++) await write(primary)
      const rows = await rowsOf(primary)
      const end = await untilReceived(primary, root, ids.at(-1))
      await receiver.end()
      const [older, newer] = archivesOf(root)
      if (!older || !newer) throw new Error('no archives')
      expect(older.record.server.in_recovery).toBe(true)
      expect(await faultsOf(older, newer.record.stop_lsn)).toEqual([])
      expect(await faultsOf(newer, end)).toEqual([])
      expect(newer.wal.chain.filter(({ form }) => form === 'partial').length).toBeLessThanOrEqual(1)
      expect(await replayed(newer, root)).toEqual({ rows, last: rows })
    },
  )
})
