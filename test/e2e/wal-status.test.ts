import { chownSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { rootLayout } from '../../src/catalog/layout.js'
import { loadConfig } from '../../src/config/load.js'
import { dropReceiverSlot } from '../../src/wal-receiver/drop-slot.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { aBackupOf } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor } from '../helpers/programs.js'
import {
  archivesOf,
  faultsOf,
  makeLedger,
  replayed,
  startReceiver,
  untilReceived,
} from '../helpers/receiver.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

const write = (server: TestServer, rows = 3000) =>
  server.sql(
    `insert into ledger select (select coalesce(max(n), 0) from ledger) + g, clock_timestamp(), repeat('x', 300) from generate_series(1, ${rows}) g`,
  )

async function json(args: string[], server?: TestServer) {
  const { stdout, stderr, status } = await runPgbk([...args, '--json'], {
    env: server?.env ?? { PGHOST: '/nowhere' },
  })
  return { ...JSON.parse(stdout), stderr, status }
}

describe('wal status, the windows, and wal drop-slot', () => {
  let server: TestServer
  let root: string
  let archive: string
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'] })
    await makeLedger(server)
    root = await aRoot()
  })
  const windowNow = async () => (await json(['show', 'latest', '-C', root])).backup.window

  it('say what there is before anything is', async () => {
    const { status, stdout, stderr } = await runPgbk(['wal', 'status', '-C', root], { env: server.env })
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/Receiver +none[\s\S]*No backups in/),
    })
    expect(stderr).toContain('no receiver has run here yet')
    const drop = await runPgbk(['wal', 'drop-slot', '-C', root], { env: server.env })
    expect(drop).toMatchObject({ status: 0, stdout: expect.stringContaining('There is no slot pgbk') })
  })

  it('know a backup without a receiver: its window is the snapshot, and no program is needed', async () => {
    const { record, directory } = await aBackupOf(server, { root })
    archive = join(directory, 'wal')
    const window = await windowNow()
    expect(window).toMatchObject({
      from: record.finished_at,
      to: record.finished_at,
      ends_with: 'snapshot',
      gap: null,
    })
    expect(readdirSync(archive).some((name) => name.endsWith('.json'))).toBe(false)
  })

  it('show a receiver at work', async () => {
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    await write(server)
    await untilReceived(server, root)
    const found = await json(['wal', 'status', '-C', root], server)
    expect(found.receiver).toMatchObject({ alive: true, status: 'receiving', slot: 'pgbk', timeline: 1 })
    expect(found.slot).toMatchObject({ active: true, wal_status: 'reserved' })
    expect(found.archives[0].window).toMatchObject({ ends_with: 'caught-up', gap: null })
    expect(found.archives[0].segments).toBe(
      found.archives[0].raw + found.archives[0].gzip + found.archives[0].partial,
    )
    expect(found.warnings).toEqual([expect.stringContaining('max_slot_wal_keep_size is -1')])
    const text = await runPgbk(['wal', 'status', '-C', root], { env: server.env })
    expect(text.stdout).toMatch(
      /Receiver +receiving from .* for backup .*\n[\s\S]*Slot +pgbk: in use[\s\S]*to now/,
    )
    const drop = await runPgbk(['wal', 'drop-slot', '--yes', '-C', root], { env: server.env })
    expect(drop).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('a receiver is using the slot pgbk'),
    })
    expect(await receiver.end()).toBe(143)
  })

  it('drop no slot that a receiver has begun to use while the question was open', async () => {
    const path = join(root, 'data/backup/.receive.json')
    const before = readFileSync(path, 'utf8')
    const alive = { ...JSON.parse(before), status: 'receiving', pid: process.pid, start_time: null }
    const ask = async () => {
      writeFileSync(path, JSON.stringify(alive))
      return true
    }
    const context = aContext({ ask, env: { ...server.env, PATH: process.env.PATH }, now: () => new Date() })
    const settings = await loadConfig({ root }, context)
    const error = await thrownBy(() => dropReceiverSlot({}, { settings, context }))
    writeFileSync(path, before)
    expect(error.message).toBe(`a receiver is using the slot pgbk (process ${process.pid})`)
    expect(await server.sql('select count(*) from pg_replication_slots')).toBe('1')
  })

  it('work without the server, and say so', async () => {
    const found = await json(['wal', 'status', '-C', root])
    expect(found).toMatchObject({ status: 0, server: null, slot: null, receiver: { alive: false } })
    expect(found.warnings.join('\n')).toMatch(/the server was not asked: .*\n.*the receiver is not running/)
    expect(found.archives).toHaveLength(1)
  })

  it('take the last commit for the end when nobody receives, and remember it', async () => {
    const last = await server.sql(
      'select to_char(max(at) at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') from ledger',
    )
    const window = await windowNow()
    expect(window.ends_with).toBe('commit')
    expect(window.to >= last).toBe(true)
    const cache = join(archive, '.pgbk-window.json')
    const known = readFileSync(cache, 'utf8')
    expect(JSON.parse(known).commit.time).toBe(window.to)
    writeFileSync(cache, known.replace(window.to, '2099-01-01T00:00:00.000000Z'))
    expect((await windowNow()).to).toBe('2099-01-01T00:00:00.000000Z')
    writeFileSync(cache, 'nonsense')
    expect(await windowNow()).toEqual(window)
    expect(readFileSync(cache, 'utf8')).toBe(known)
  })

  it('read on when there is more, and do not trust what is known of another archive', async () => {
    const before = await windowNow()
    const receiver = startReceiver(root, { env: server.env })
    await receiver.untilItSays(/receiving WAL/)
    await write(server, 10)
    await untilReceived(server, root)
    await receiver.end()
    const after = await windowNow()
    expect(after.to > before.to).toBe(true)
    expect(BigInt(`0x${after.to_lsn.replace('/', '')}`)).toBeGreaterThan(
      BigInt(`0x${before.to_lsn.replace('/', '')}`),
    )
  })

  it('name a gap and a damaged segment, which end the window', async () => {
    const whole = await windowNow()
    const names = readdirSync(archive)
      .filter((name) => /^[0-9A-F]{24}/.test(name))
      .sort()
    const second = names[1] ?? ''
    const content = readFileSync(join(archive, second))
    rmSync(join(archive, second))
    const gapped = await windowNow()
    expect(gapped.gap).toMatchObject({
      missing: second.slice(0, 24),
      after: names[0]?.slice(0, 24),
      reason: 'it is missing',
    })
    expect(gapped.ends_with).toBe('snapshot')
    const list = await runPgbk(['list', '-C', root])
    expect(list.stdout).toMatch(/WINDOW[\s\S]*gap/)
    expect((await runPgbk(['show', 'latest', '-C', root])).stdout).toMatch(
      /Gap +WAL segment .*: it is missing/,
    )
    expect((await runPgbk(['wal', 'status', '-C', root], { env: server.env })).stderr).toMatch(
      /the WAL archive of the newest backup .* is broken at .*; run pgbk create -C/,
    )
    const put = (bytes: Buffer) => {
      writeFileSync(join(archive, second), bytes)
      if (isRoot) chownSync(join(archive, second), ordinaryUser.uid, ordinaryUser.gid)
    }
    put(content)
    expect(await windowNow()).toEqual(whole)

    // One that has to be read for the window.
    for (const name of names.filter((one) => one.endsWith('.partial'))) rmSync(join(archive, name))
    const last = names.filter((name) => !name.endsWith('.partial')).at(-1) ?? ''
    writeFileSync(join(archive, last), Buffer.alloc(2 ** 20))
    rmSync(join(archive, '.pgbk-window.json'), { force: true })
    expect(await windowNow()).toMatchObject({
      ends_with: 'commit',
      gap: { missing: last.slice(0, 24), next: null, reason: 'it does not begin with a page of WAL' },
    })
  })

  it('show a receiver that hands over, and do not advise to drop the slot that it will use again', async () => {
    const path = rootLayout(root).receiverState
    const before = readFileSync(path, 'utf8')
    const next = '20991120T030000Z'
    const alive = { pid: process.pid, start_time: null, pid_space: null }
    const change = (changes: object) =>
      writeFileSync(path, JSON.stringify({ ...JSON.parse(before), ...alive, ...changes }))
    change({ status: 'handing-over', handing_over_to: next })
    const found = await json(['wal', 'status', '-C', root], server)
    expect(found.slot.active).toBe(false)
    expect(found.receiver).toMatchObject({ alive: true, status: 'handing-over', handing_over_to: next })
    expect(found.warnings.join()).not.toMatch(/not in use|drop-slot/)
    const says = async (...args: string[]) => {
      const { stdout, stderr } = await runPgbk([...args, '-C', root], { env: server.env })
      return stdout + stderr
    }
    expect(await says('wal', 'status')).toContain(`handing over to backup ${next} (process`)
    expect(await says('status')).toContain(`the receiver hands over to ${next}`)
    const doctor = await says('doctor')
    expect(doctor).toContain(`handing over to backup ${next}`)
    expect(doctor).not.toContain('drop-slot')
    expect(await says('wal', 'drop-slot', '--yes')).toContain('a receiver is using the slot pgbk')
    change({ status: 'waiting-for-server', handing_over_to: null })
    const waiting = await says('wal', 'status')
    expect(waiting).toMatch(/the slot pgbk is not in use, and .* until the receiver uses it again/)
    expect(waiting).not.toContain('drop-slot')
    writeFileSync(path, before)
  })

  it('leave alone a server of another cluster', async () => {
    const other = await aServer({ major: anyMajor })
    await other.sql("select pg_create_physical_replication_slot('pgbk', true)")
    const drop = await runPgbk(['wal', 'drop-slot', '--yes', '-C', root], { env: other.env })
    expect({ status: drop.status, said: drop.stderr }).toEqual({
      status: 2,
      said: expect.stringContaining('holds backups of another cluster'),
    })
    expect(await other.sql('select count(*) from pg_replication_slots')).toBe('1')
    const shown = await runPgbk(['wal', 'status', '-C', root], { env: other.env })
    expect(shown.stderr).toContain('the server there is of another cluster')
    await other.stop()
  })

  it('drop the slot when nobody uses it', async () => {
    const unused = await runPgbk(['wal', 'status', '-C', root], { env: server.env })
    expect(unused.stderr).toMatch(/the slot pgbk is not in use, and the server keeps .* of WAL for it/)
    const { stdout, status } = await runPgbk(['wal', 'drop-slot', '-C', root, '--json'], { env: server.env })
    expect({ status, ...JSON.parse(stdout) }).toMatchObject({ status: 0, slot: 'pgbk', dropped: true })
    expect(await server.sql('select count(*) from pg_replication_slots')).toBe('0')
    // Whoever drops it wants no receiver any more: nobody misses one.
    const after = await runPgbk(['wal', 'status', '-C', root, '--json'], { env: server.env })
    expect(JSON.parse(after.stdout)).toMatchObject({ receiver: null, slot: null })
  })

  it('refuse to drop a slot of another kind, or of somebody at work', async () => {
    await server.sql("select pg_create_physical_replication_slot('other', true)")
    const env = { ...server.env, PGBK_WAL_SLOT: 'other' }
    const receiver = startReceiver(await aRoot(), { env })
    await receiver.untilItSays(/waiting for the first one/)
    await receiver.end()
    expect((await runPgbk(['wal', 'drop-slot', '-C', root], { env })).status).toBe(0)
  })
})

describe('wal receive with other settings', () => {
  it.each([
    ['segments of 64 MB', 64, 'gzip:6'],
    ['no compression', 1, 'none'],
  ])('archives %s', async (_, megabytes, compress) => {
    const server = await aServer({ major: anyMajor, initdb: [`--wal-segsize=${megabytes}`] })
    await makeLedger(server)
    const root = await aRoot()
    await aBackupOf(server, { root })
    const env = { ...server.env, PGBK_WAL_COMPRESS: compress }
    const receiver = startReceiver(root, { env, asRoot: true })
    await receiver.untilItSays(/receiving WAL/)
    let end = ''
    for (let count = 0; count < 3; count++) {
      await write(server)
      end = await untilReceived(server, root)
    }
    await receiver.end()
    const [archive] = archivesOf(root)
    if (!archive) throw new Error('no archive')
    expect(await faultsOf(archive, end)).toEqual([])
    expect(archive.wal.chain.some(({ form }) => form === 'gzip')).toBe(compress !== 'none')
    expect(await replayed(archive, root)).toEqual({ rows: 9000, last: 9000 })
    // Started by root, it works as the owner of the backups.
    for (const { file } of archive.wal.chain)
      expect(statSync(join(archive.wal.directory, file)).uid).toBe(ordinaryUser.uid)
  })
})

describe('a slot whose WAL the server has removed', () => {
  it('is lost in the same words for wal status and doctor', async () => {
    const settings = { max_slot_wal_keep_size: '1MB', min_wal_size: '2MB', max_wal_size: '2MB' }
    const server = await aServer({ major: anyMajor, initdb: ['--wal-segsize=1'], settings })
    await makeLedger(server)
    const root = await aRoot()
    await server.sql("select pg_create_physical_replication_slot('pgbk', true)")
    for (let count = 0; count < 4; count++) {
      await write(server)
      await server.sql('select pg_switch_wal(); checkpoint')
    }
    const words = 'the slot pgbk is lost: the server has removed WAL that it was to keep'
    const found = await json(['wal', 'status', '-C', root], server)
    expect(found.warnings).toContainEqual(expect.stringContaining(words))
    const { checks } = await json(['doctor', '-C', root], server)
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'WAL receiver', text: expect.stringContaining(words) }),
    )
  })
})
