import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { forms } from '../helpers/forms.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import {
  archivesOf,
  faultsOf,
  makeLedger,
  type Receiver,
  receiverProcessesIn,
  replayed,
  startLoad,
  startReceiver,
  stateIn,
  untilReceived,
} from '../helpers/receiver.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

describe('wal receive, from before the first backup on, over three of them', () => {
  const major = anyMajor
  let server: TestServer
  let root: string
  let receiver: Receiver
  let ids: string[]
  let rows: number
  let end: string
  let status: number | undefined
  beforeAll(async () => {
    server = await aServer({ major, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    root = await aRoot()
    receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/there is no backup in .* yet: waiting for the first one/)
    let load = startLoad(server)
    ids = []
    for (let count = 0; count < 3; count++) {
      ids.push((await aBackupOf(server, { root })).record.id)
      await receiver.untilItSays(new RegExp(`into the archive of backup ${ids.at(-1)}`))
      if (count === 1) {
        await server.stop()
        await server.start()
        await load.stop()
        load = startLoad(server)
      }
    }
    await load.stop()
    rows = Number(await server.sql('select count(*) from ledger'))
    end = await untilReceived(server, root, ids.at(-1))
    status = await receiver.end('SIGTERM')
  })

  it('made its slot before there was a backup, and says what it does', () => {
    expect(receiver.said()).toMatch(/made the replication slot pgbk: the server keeps all WAL from now on/)
    for (const id of ids.slice(1)) expect(receiver.said()).toContain(`backup ${id} takes over`)
    expect(receiver.said()).not.toMatch(/no longer has WAL|broken/)
  })

  it('gives every archive all segments from its own snapshot on, the older ones up to the next snapshot', async () => {
    const archives = archivesOf(root)
    expect(archives.map(({ id }) => id)).toEqual(ids)
    const ends = [...archives.slice(1).map(({ record }) => record.stop_lsn), end]
    for (const [index, archive] of archives.entries())
      expect({ id: archive.id, faults: await faultsOf(archive, ends[index] ?? '') }).toEqual({
        id: archive.id,
        faults: [],
      })
  })

  it('loses no row of any backup', async () => {
    const [oldest, , newest] = archivesOf(root)
    if (!oldest || !newest) throw new Error('no archives')
    expect(await replayed(newest, root)).toEqual({ rows, last: rows })
    const old = await replayed(oldest, root)
    expect(old.rows).toBe(old.last)
    expect(old.rows).toBeGreaterThan(0)
  })

  it('ends cleanly on SIGTERM, and leaves the slot to keep WAL', async () => {
    expect(status).toBe(143)
    expect(await receiverProcessesIn(root)).toEqual([])
    expect(stateIn(root)).toMatchObject({ status: 'ended', backup: ids.at(-1) })
    expect(await server.sql('select slot_name, active from pg_replication_slots')).toBe('pgbk|f')
  })

  it('compresses finished segments, leaves no drafts, and touches no snapshot', async () => {
    const files = ids.flatMap((id) => readdirSync(join(root, 'data/backup', id, 'wal')))
    expect(files.filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(0)
    expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([])
    for (const id of ids)
      expect(existsSync(join(root, 'data/backup', id, 'snapshot/data/backup_label'))).toBe(true)
  })

  it('widens the windows', async () => {
    const { backups } = JSON.parse((await runPgbk(['list', '-C', root, '--json'])).stdout)
    for (const { window, finished_at } of backups) {
      expect(window).toMatchObject({ from: finished_at, gap: null, fault: null })
      expect(Date.parse(window.to)).toBeGreaterThanOrEqual(Date.parse(window.from))
    }
    expect(backups[0].window.ends_with).toBe('commit')
    const last = await server.sql(
      "select to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') from ledger",
    )
    expect(backups[0].window.to.replace('T', ' ') >= last).toBe(true)
  })

  it('goes on where it was when it is started again', async () => {
    await server.sql('insert into ledger select coalesce(max(n), 0) + 1, clock_timestamp() from ledger')
    const again = startReceiver(root, { env: server.env })
    const reached = await untilReceived(server, root, ids.at(-1))
    await until('the window ends now', async () => {
      const { stdout } = await runPgbk(['list', '-C', root, '--json'])
      return JSON.parse(stdout).backups[0].window.ends_with === 'caught-up'
    })
    expect(await again.end('SIGINT')).toBe(130)
    const newest = archivesOf(root).at(-1)
    expect(newest && (await faultsOf(newest, reached))).toEqual([])
    expect(again.said()).not.toContain('made the replication slot')
  })
})

it.each(forms)(
  'a server that was idle before a %s backup took over has no hole in its windows',
  async (form) => {
    const args = form === 'packed' ? ['--packed'] : []
    const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    const root = await aRoot()
    const first = await aBackupOf(server, { root, args })
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    await server.sql('insert into ledger values (1, clock_timestamp())')
    await untilReceived(server, root)
    await server.sql('select pg_sleep(1.5)')
    const idle = await server.sql(`select to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`)
    await server.sql('select pg_sleep(0.1)')
    const second = await aBackupOf(server, { root, args })
    await receiver.untilItSays(new RegExp(`backup ${second.record.id} takes over`))
    await receiver.end()
    const { backups } = JSON.parse((await runPgbk(['list', '-C', root, '--json'])).stdout)
    const { window } = backups.find(({ id }: { id: string }) => id === first.record.id)
    expect(window).toMatchObject({ ends_with: 'caught-up', gap: null })
    expect(Date.parse(window.to)).toBeGreaterThan(Date.parse(idle))
    const words = ['local-run', '-C', root, '--to-time', idle, '--', 'psql', '-XAtc', 'select n from ledger']
    const { status, stdout, stderr } = await runPgbk(words)
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1' })
    expect(stderr).toContain(`Backup     ${first.record.id}`)
  },
)

it('two backups made while the receiver was down both get what the slot has kept', async () => {
  const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
  await makeLedger(server)
  const root = await aRoot()
  const waiting = startReceiver(root, { env: server.env })
  await waiting.untilItSays(/waiting for the first one/)
  await waiting.end('SIGKILL')
  await aBackupOf(server, { root })
  await server.sql('select pg_switch_wal(); insert into ledger values (1, clock_timestamp())')
  await server.sql('select pg_switch_wal()')
  const second = await aBackupOf(server, { root })
  const receiver = startReceiver(root, { env: server.env })
  await receiver.untilItSays(new RegExp(`backup ${second.record.id} takes over`))
  await receiver.end()
  const [older] = archivesOf(root)
  expect(older && (await faultsOf(older, second.record.stop_lsn))).toEqual([])
})

describe.each(oldestAndNewest)('wal receive from PostgreSQL %i', (major) => {
  it('hands over under load, and loses no row', async () => {
    const server = await aServer({ major, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    const root = await aRoot()
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/waiting for the first one/)
    const load = startLoad(server)
    await aBackupOf(server, { root })
    await receiver.untilItSays(/receiving WAL/)
    await aBackupOf(server, { root })
    await receiver.untilItSays(/receiving WAL/, 2)
    await load.stop()
    const rows = Number(await server.sql('select count(*) from ledger'))
    const end = await untilReceived(server, root)
    expect(await receiver.end()).toBe(143)
    const [older, newer] = archivesOf(root)
    if (!older || !newer) throw new Error('no archives')
    expect(await faultsOf(older, newer.record.stop_lsn)).toEqual([])
    expect(await faultsOf(newer, end)).toEqual([])
    expect(await replayed(newer, root)).toEqual({ rows, last: rows })
  })
})
