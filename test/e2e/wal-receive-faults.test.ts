import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aProxyTo } from '../helpers/proxy.js'
import { receive } from '../helpers/received-wal.js'
import {
  archivesOf,
  faultsOf,
  makeLedger,
  receiverProcessesIn,
  startReceiver,
  stateIn,
  untilReceived,
} from '../helpers/receiver.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const small = { major: anyMajor, initdb: ['--wal-segsize=1'] }

async function windowsIn(root: string) {
  const { stdout } = await runPgbk(['list', '-C', root, '--json'])
  return JSON.parse(stdout).backups.map(({ window }: { window: object }) => window)
}

/** Stops the server's main process, so that nobody is let in; the function lets it go on. */
function hang({ data }: TestServer): () => void {
  const postmaster = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
  const resume = () => void process.kill(postmaster, 'SIGCONT')
  atEnd(resume)
  process.kill(postmaster, 'SIGSTOP')
  return resume
}

describe('wal receive', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer(small)
    await makeLedger(server)
  })
  const write = () =>
    server.sql(
      "insert into ledger select (select coalesce(max(n), 0) from ledger) + g, clock_timestamp(), repeat('x', 300) from generate_series(1, 3000) g",
    )

  it('is refused with --json, and a second one on the same root', async () => {
    const root = await aRoot()
    const json = await runPgbk(['wal', 'receive', '-C', root, '--json'], { env: server.env })
    expect({ status: json.status, code: JSON.parse(json.stdout).error.code }).toEqual({
      status: 2,
      code: 'usage',
    })
    const first = startReceiver(root, { env: server.env })
    await first.untilItSays(/waiting for the first one/)
    const { status, stderr } = await runPgbk(['wal', 'receive', '-C', root], { env: server.env })
    expect(status).toBe(4)
    expect(stderr).toMatch(/another pgbk holds the lock on this root: a wal receive since/)
    expect(await first.end('SIGINT')).toBe(130)
  })

  it('is refused at once where waiting does not help: the role, the database, the other cluster', async () => {
    await server.sql('create role weak login')
    const root = await aRoot()
    const start = (env: object) => runPgbk(['wal', 'receive', '-C', root], { env: { ...server.env, ...env } })
    expect(await start({ PGUSER: 'weak' })).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('role weak has no REPLICATION right'),
    })
    expect(await start({ PGUSER: 'nobody' })).toMatchObject({ status: 5 })
    const backup = await aBackupOf(server, { root })
    const other = await aServer(small)
    const ended = await runPgbk(['wal', 'receive', '-C', root], { env: other.env })
    expect(ended).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(backup.record.server.system_identifier),
    })
    expect(await other.sql('select count(*) from pg_replication_slots')).toBe('0')
  })

  it('needs only a role with REPLICATION, waits for a server that is down, and survives a lost network', async () => {
    await server.sql('create role receiver login replication')
    const proxy = await aProxyTo(server.port)
    const root = await aRoot()
    await aBackupOf(server, { root })
    await server.stop()
    const env = {
      PGHOST: '127.0.0.1',
      PGPORT: String(proxy.port),
      PGUSER: 'receiver',
      PGBK_WAL_SLOT: 'by_tcp',
    }
    const receiver = startReceiver(root, { env })
    await receiver.untilItSays(/cannot connect to the server: .*; trying again/)
    await server.start()
    await receiver.untilItSays(/receiving WAL/)
    await write()
    proxy.cut()
    await receiver.untilItSays(/pg_receivewal ended: .*; connecting again/)
    await write()
    await receiver.untilItSays(/receiving WAL/, 2)
    const end = await untilReceived(server, root)
    await receiver.end()
    const [archive] = archivesOf(root)
    expect(archive && (await faultsOf(archive, end))).toEqual([])
    await server.sql("select pg_drop_replication_slot('by_tcp')")
  })

  it('says that the server hangs, while it receives and when it connects, and goes on afterwards', async () => {
    const root = await aRoot()
    await aBackupOf(server, { root })
    const env = { ...server.env, PGCONNECT_TIMEOUT: '60' }
    const first = startReceiver(root, { env })
    await first.untilItSays(/receiving WAL/)
    const resume = hang(server)
    const second = startReceiver(await aRoot(), { env })
    await first.untilItSays(/cannot ask the server: the server does not answer within 20 s; asking again/)
    expect(stateIn(root).problem).toBe('cannot ask the server: the server does not answer within 20 s')
    await second.untilItSays(/warning: the server does not answer within 20 s; trying again/)
    resume()
    await first.untilItSays(/receiving WAL/, 2)
    expect(stateIn(root)).toMatchObject({ status: 'receiving', problem: null })
    await second.untilItSays(/waiting for the first one/)
    await first.end()
    await second.end()
  })

  it('says that its slot is in use by another receiver, and goes on when it is free', async () => {
    const root = await aRoot()
    await aBackupOf(server, { root })
    await server.sql("select pg_create_physical_replication_slot('hold', true)")
    const env = { ...server.env, PGBK_WAL_SLOT: 'hold' }
    let receiver = startReceiver(root, { env })
    await receiver.untilItSays(/receiving WAL/)
    await receiver.end()
    await receive(server, aDirectory(), async () => {
      receiver = startReceiver(root, { env })
      await receiver.untilItSays(
        /the replication slot hold is in use by another receiver \(process \d+ of the server\)/,
      )
    })
    await receiver.untilItSays(/receiving WAL/)
    await receiver.end()
    await server.sql("select pg_drop_replication_slot('hold')")
  })

  it('notices a gap after its slot was dropped, ends the window, and goes on with the next backup', async () => {
    const root = await aRoot()
    const { record } = await aBackupOf(server, { root })
    let receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    await write()
    await untilReceived(server, root)
    await receiver.end()
    const [before] = await windowsIn(root)
    await server.sql("select pg_drop_replication_slot('pgbk')")
    for (let count = 0; count < 4; count++) await write().then(() => server.sql('checkpoint'))

    receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(
      new RegExp(
        `the server no longer has WAL segment [0-9A-F]{24}: the window of backup ${record.id} ends before it`,
      ),
    )
    await until('the state tells', () => stateIn(root).status === 'gap')
    const status = await runPgbk(['wal', 'status', '-C', root], { env: server.env })
    expect(status.stderr).toMatch(/the receiver says: the server no longer has WAL segment/)
    await server.sql('insert into ledger select max(n) + 1, clock_timestamp() from ledger')
    const [after] = await windowsIn(root)
    expect(after).toEqual({
      ...before,
      gap: expect.objectContaining({ next: null, reason: 'the server no longer had it' }),
    })

    const next = await aBackupOf(server, { root })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${next.record.id}`))
    const end = await untilReceived(server, root, next.record.id)
    await receiver.end()
    const newest = archivesOf(root).at(-1)
    expect(newest && (await faultsOf(newest, end))).toEqual([])
    expect((await windowsIn(root)).at(-1)).toEqual(after)
    expect(receiver.said()).toContain(`the archive of ${record.id} ends before that`)
  })

  it('does not hand over before the older archive reaches the end of the newer snapshot', async () => {
    const root = await aRoot()
    const { record } = await aBackupOf(server, { root })
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    const pids = (await receiverProcessesIn(root)).map((line) => Number.parseInt(line, 10))
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    await write()
    const newer = await aBackupOf(server, { root })
    const before = stateIn(root).updated_at
    await until('it has looked again', () => Date.parse(stateIn(root).updated_at) > Date.parse(before) + 3000)
    expect(receiver.said()).not.toContain('takes over')
    expect(stateIn(root).backup).toBe(record.id)
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    let state = stateIn(root)
    await until('it hands over', () => {
      state = stateIn(root)
      return state.status === 'handing-over' || receiver.said().includes('takes over')
    })
    if (state.status === 'handing-over') expect(state.handing_over_to).toBe(newer.record.id)
    await receiver.untilItSays(
      new RegExp(`${newer.record.id} takes over; the archive of ${record.id} is complete`),
    )
    await receiver.end()
    const [older] = archivesOf(root)
    expect(older && (await faultsOf(older, newer.record.stop_lsn))).toEqual([])
  })

  it('catches up with all backups that were made while it was down', async () => {
    const root = await aRoot()
    const ids = [(await aBackupOf(server, { root })).record.id]
    let receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    await receiver.end('SIGKILL')
    for (let count = 0; count < 2; count++) {
      await write()
      ids.push((await aBackupOf(server, { root })).record.id)
    }
    receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${ids[2]}`))
    const end = await untilReceived(server, root, ids[2])
    await receiver.end()
    const archives = archivesOf(root)
    expect(archives.map(({ id }) => id)).toEqual(ids)
    const ends = [...archives.slice(1).map(({ record }) => record.stop_lsn), end]
    for (const [index, archive] of archives.entries())
      expect(await faultsOf(archive, ends[index] ?? '')).toEqual([])
  })

  it('keeps its backup from being deleted while a newer one has not taken over', async () => {
    const root = await aRoot()
    const one = await aBackupOf(server, { root })
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${one.record.id}`))
    process.kill(receiver.pid, 'SIGSTOP')
    const two = await aBackupOf(server, { root })
    const remove = ['delete', '--yes', one.record.id, '-C', root]
    const refused = await runPgbk(remove)
    process.kill(receiver.pid, 'SIGCONT')
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('has not taken over') })
    await receiver.untilItSays(new RegExp(`backup ${two.record.id} takes over`))
    expect((await runPgbk(remove)).status).toBe(0)
    await receiver.end()
  })

  it('moves on when its backup is deleted, and leaves nothing of it', async () => {
    const root = await aRoot()
    const one = await aBackupOf(server, { root })
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${one.record.id}`))
    expect((await runPgbk(['delete', '--yes', '--last', one.record.id, '-C', root])).status).toBe(0)
    await receiver.untilItSays(/there is no backup in .* yet/)
    expect(existsSync(join(root, 'data/backup', one.record.id))).toBe(false)
    const two = await aBackupOf(server, { root })
    await receiver.untilItSays(new RegExp(`into the archive of backup ${two.record.id}`))
    await receiver.end()
    expect(await receiverProcessesIn(root)).toEqual([])
  })
})
