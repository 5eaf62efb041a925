import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { BackupRecord } from '../../src/catalog/record.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, attempt, binOf, oldestAndNewest, run } from '../helpers/programs.js'
import { archiveWal, ask, pgbkIn, refusal, restore, restored } from '../helpers/restore.js'
import { aRoot, aServer, openSnapshot, type TestServer } from '../helpers/server.js'

const originsSetting = (major: number) =>
  major >= 18 ? 'max_active_replication_origins' : 'max_replication_slots'

/** Replication origins with a position, as many subscriptions have. */
const makeOrigins = (from: number, to: number) =>
  `select pg_replication_origin_advance('o' || n, '0/1000') from generate_series(${from}, ${to}) n
    where pg_replication_origin_create('o' || n) > 0;`

/** Of the settings that make room for locks, the one that recovery itself does not ask for. */
const workersSetting = (major: number) => (major >= 18 ? 'autovacuum_worker_slots' : 'autovacuum_max_workers')

/** More locks than PostgreSQL's own settings have room for, which come back when the server starts. */
const prepare = `begin isolation level serializable;
  select count(pg_advisory_xact_lock(n)) from generate_series(1, 20000) n;
  set local enable_seqscan = off; set local enable_bitmapscan = off;
  select count(pad) from many where id between 1 and 20000;
  prepare transaction 'left over';`

const state = `select (select count(*) from pg_replication_origin_status),
  (select pg_xact_commit_timestamp(xmin) is not null from stamped where n = 1), (select count(*) from pg_prepared_xacts)`

/** The same backup in a root of its own, as if somebody else had made it. */
async function changed(
  { root, record }: MadeBackup,
  changes: { record?: object; conf?: (text: string) => string; original?: (text: string) => string },
): Promise<MadeBackup> {
  const copy = await aRoot()
  await run(['cp', '-a', join(root, 'data'), copy])
  const directory = join(copy, 'data/backup', record.id)
  const snapshot = join(directory, 'snapshot')
  const rewrite = (path: string, change = (text: string) => text) =>
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  rewrite(join(snapshot, 'conf/postgresql.conf'), changes.conf)
  rewrite(join(snapshot, 'conf/original/postgresql.conf'), changes.original)
  const { own_files: _own, ...rest } = record
  writeFileSync(join(directory, 'backup.json'), JSON.stringify({ ...rest, ...changes.record }))
  return { root: copy, record, directory, snapshot, stderr: '' }
}

const inRun = async ({ root }: MadeBackup, statement: string, args: string[] = []) => {
  const { status, stdout, stderr } = await localRun(root, [
    ...['--dbname', 'postgres', ...args, '--', 'psql', '-XAtc', statement],
  ])
  if (status !== 0) throw new Error(`local-run ended with ${status}: ${stdout}${stderr}`)
  return { stdout, stderr }
}

describe.each(oldestAndNewest)('a server of PostgreSQL %i with more than the defaults', (major) => {
  const name = originsSetting(major)
  let server: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    const settings = {
      [name]: '30',
      track_commit_timestamp: 'on',
      max_prepared_transactions: '3',
      max_pred_locks_per_transaction: '400',
      [workersSetting(major)]: '200',
      max_pred_locks_per_page: '100000',
      max_pred_locks_per_relation: '100000',
      TimeZone: 'Asia/Kolkata',
    }
    server = await aServer({ major, settings })
    await server.sql(`create table stamped as select 1 as n;
      create table many as select n as id, '' as pad from generate_series(1, 20000) n;
      create unique index on many (id); analyze many;
      ${makeOrigins(1, 14)}`)
    await server.sql(prepare)
    backup = await aBackupOf(server)
  })

  it('is opened by stock PostgreSQL with all that it had', async () => {
    const twin = await changed(backup, {})
    const copy = await openSnapshot(twin.snapshot, major)
    expect(await copy.sql(state)).toBe('14|t|1')
    await copy.stop()
  })

  it('is run with all that, in its time zone', async () => {
    expect((await inRun(backup, state)).stdout).toBe('14|t|1')
    expect((await inRun(backup, 'show timezone')).stdout).toBe('Asia/Kolkata')
  })

  it('is run too where the backup is of a pgbk that knew nothing of it', async () => {
    const names = `${name}|track_commit_timestamp|max_pred_locks_per_transaction|# TimeZone`
    const earlier = await changed(backup, {
      conf: (text) =>
        `${text.replace(new RegExp(`^(${names}) = .*\n`, 'gm'), '')}max_pred_locks_per_transaction = 400\nTimeZone = 'Nowhere/Land'\n`,
      record: { server: { ...backup.record.server, time_zone: undefined }, configuration: undefined },
    })
    const { stdout, stderr } = await inRun(earlier, state)
    expect(stdout).toBe('14|t|1')
    expect(stderr).toMatch(/time zone Nowhere\/Land is not known on this machine.*tzdata-legacy/)
  })

  it('has them in an instance after every start', async () => {
    const made = await restored(backup.root, ['--name', 'lasting'])
    expect(await ask(made, state, 'postgres', major)).toBe('14|t|1')
    await pgbkIn(backup.root, ['instance', 'stop', 'lasting'])
    expect((await pgbkIn(backup.root, ['instance', 'start', 'lasting'])).status).toBe(0)
    expect(await ask(made, state, 'postgres', major)).toBe('14|t|1')
  })

  it('has what came later too, in a run and in a directory that starts again', async () => {
    await server.stop()
    await attempt(['sh', '-c', `echo "${name} = 60" >>"$1"`, 'sh', join(server.data, 'postgresql.conf')])
    await server.start()
    await server.sql(makeOrigins(15, 40))
    await archiveWal(server, backup)
    expect((await inRun(backup, state, ['--to-latest'])).stdout).toBe('40|t|1')
    const place = aDirectory('pgbk-restored-')
    const data = join(place, 'main')
    const port = await aFreePort()
    await restored(backup.root, ['-D', data, '--start', '--port', String(port)])
    const target = { port, role: 'focker', socket: server.socket }
    expect(await ask(target, state, 'postgres', major)).toBe('40|t|1')
    const restart = [
      `${binOf(major)}/pg_ctl`,
      '-D',
      data,
      '-l',
      join(place, 'log'),
      '-m',
      'fast',
      '-w',
      'restart',
    ]
    const { status } = await attempt(restart, { stdout: 'ignore', stderr: 'ignore' })
    expect({ status, log: readFileSync(join(place, 'log'), 'utf8') }).toMatchObject({ status: 0 })
    expect(await ask(target, state, 'postgres', major)).toBe('40|t|1')
  })
})

describe('a server that was started with more than its configuration files say', () => {
  it('starts again from a directory, which says so', async () => {
    const name = originsSetting(anyMajor)
    const server = await aServer({ major: anyMajor })
    await server.stop()
    const workers = workersSetting(anyMajor)
    const options = `-c ${name}=30 -c ${workers}=40 -c track_commit_timestamp=on`
    const start = [`${server.bin}/pg_ctl`, '-D', server.data, '-l', server.log, '-w', '-o', options, 'start']
    await run(start, { stdout: 'ignore', stderr: 'ignore' })
    await server.sql(makeOrigins(1, 14))
    const { root } = await aBackupOf(server)
    const data = join(aDirectory('pgbk-restored-'), 'main')
    const { notes } = await restored(root, ['-D', data])
    expect(notes.join('\n')).toContain(`${name} = 30 stands in postgresql.auto.conf`)
    const auto = readFileSync(join(data, 'postgresql.auto.conf'), 'utf8')
    expect(auto).toMatch(
      new RegExp(`^${name} = '30'\n${workers} = '40'\ntrack_commit_timestamp = 'on'$`, 'm'),
    )
  })
})

describe('a time zone that this machine does not know', () => {
  const zone = 'Nowhere/Land'
  let backup: MadeBackup
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor, settings: { TimeZone: 'Asia/Kolkata' } })
    const made = await aBackupOf(server)
    await server.stop()
    const ofServer: BackupRecord['server'] = { ...made.record.server, time_zone: zone }
    const original = (text: string) => text.replaceAll('Asia/Kolkata', zone)
    backup = await changed(made, { record: { server: ofServer }, original })
  })

  it('keeps no run, no proof and no instance from starting, and is told', async () => {
    const told = /time zone Nowhere\/Land is not known on this machine, times are shown in GMT .*tzdata/
    const { stdout, stderr } = await inRun(backup, 'show timezone')
    expect(stdout).toBe('GMT')
    expect(stderr).toMatch(told)
    const proof = await runPgbk(['verify', '--prove', '-C', backup.root])
    expect(`${proof.stdout}${proof.stderr}`).toContain('proven on')
    const made = await restore(backup.root, ['--name', 'one'])
    expect({ status: made.status, stderr: made.stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(told),
    })
  })

  it('is told before anything is copied into a directory, with what to do', async () => {
    const data = join(aDirectory('pgbk-restored-'), 'main')
    const told = /its configuration is not understood here.*"TimeZone": "Nowhere\/Land".*tzdata-legacy/
    const { stdout } = await restore(backup.root, ['-D', data, '--dry-run'])
    expect(stdout.replace(/\s+/g, ' ')).toMatch(told)
    const refused = await refusal(restore(backup.root, ['-D', data, '--start', '--json']))
    expect(refused).toMatchObject({ status: 1, message: expect.stringMatching(told) })
    const { status, stdout: end } = await restore(backup.root, ['-D', data])
    expect({ status, end: end.replace(/\s+/g, ' ') }).toEqual({ status: 0, end: expect.stringMatching(told) })
  })
})
