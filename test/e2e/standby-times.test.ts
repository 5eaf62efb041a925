import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { oldestAndNewest } from '../helpers/programs.js'
import { aServer, aStandbyOf, openSnapshot, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const count = 'select count(*) from t'
const insert = 'insert into t select count(*) + 1 from t'
const utc = (time: string) => `select to_char(${time} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** Changes settings of a running server. */
async function set(server: TestServer, settings: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await server.sql(`alter system set ${name} = '${value}'`)
  await server.sql('select pg_reload_conf()')
}

const untilRows = (server: TestServer, rows: number) =>
  until(`the standby has ${rows} rows`, async () => (await server.sql(count)) === String(rows))

async function rowsIn(backup: MadeBackup, args: string[]): Promise<string> {
  const words = [
    'local-run',
    backup.record.id,
    '-C',
    backup.root,
    ...args,
    '--',
    'psql',
    '-XAtqc',
    count,
    'postgres',
  ]
  const { stdout, stderr } = await runPgbk(words)
  return stdout.trim() || stderr
}

describe.each(oldestAndNewest)('a backup from a standby of PostgreSQL %i', (major) => {
  let primary: TestServer
  let standby: TestServer
  beforeAll(async () => {
    primary = await aServer({ major, initdb: ['--wal-segsize=1'] })
    await primary.sql('create table t (i int); create role backup login replication')
    standby = await aStandbyOf(primary)
    await primary.sql(insert)
    await untilRows(standby, 1)
  })

  it('that has all of its primary is as of now, whatever the role may see of that', async () => {
    for (const PGUSER of [standby.superuser, 'backup']) {
      const { record, stderr } = await aBackupOf(standby, { env: { PGUSER } })
      expect(stderr).not.toMatch(/warning: .*(its data are as of)/)
      expect(record.standby).toMatchObject({ is_receiving: true, is_paused: false, apply_delay_ms: 0 })
      expect(Date.parse(record.started_at) - Date.parse(record.copied_at ?? '')).toBeLessThan(90_000)
    }
  })

  it('that replays late is as of what it has replayed, and goes on to what it has received', async () => {
    await set(standby, { recovery_min_apply_delay: '1h' })
    const [replayed, last] = await Promise.all([
      standby.sql(count),
      standby.sql(utc('pg_last_xact_replay_timestamp()')),
    ])
    await primary.sql(insert)
    const between = await primary.sql(utc('clock_timestamp()'))
    // Some more segments.
    await primary.sql(
      `create table filler as select repeat('x', 1000) from generate_series(1, 4000); ${insert}`,
    )
    const sent = await primary.sql('select pg_current_wal_flush_lsn()')
    await until(
      'it is received',
      async () => (await standby.sql(`select pg_last_wal_receive_lsn() >= '${sent}'`)) === 't',
    )
    // The WAL that comes with a backup is streamed until all else is copied: all of it comes when that takes a while.
    const backup = await aBackupOf(standby, { args: ['--max-rate', '8M'] })
    expect(backup.stderr).toMatch(/warning: this standby replays 1 h 0 min late .*its data are as of/)
    expect(backup.record.standby).toMatchObject({
      known_by: 'last-commit',
      apply_delay_ms: 3_600_000,
      has_more_wal: true,
    })
    expect(backup.record.copied_at).toBe(last)
    expect(await rowsIn(backup, [])).toBe(replayed)
    expect(await rowsIn(backup, ['--to-time', between])).toBe(String(Number(replayed) + 1))
    expect(await rowsIn(backup, ['--to-latest'])).toBe(String(Number(replayed) + 2))
    const { stdout } = await runPgbk(['show', backup.record.id, '-C', backup.root, '--json'])
    expect(JSON.parse(stdout).backup.window).toMatchObject({ from: last, ends_with: 'commit' })
    expect((await runPgbk(['verify', '-C', backup.root])).status).toBe(0)
    const copy = await openSnapshot(backup.snapshot, major)
    expect(await copy.sql(count)).toBe(replayed)
    await copy.stop()
    const behind = readdirSync(join(backup.directory, 'wal')).filter((name) => name.endsWith('.partial'))
    expect(behind).toHaveLength(1)
    await set(standby, { recovery_min_apply_delay: '0' })
    await untilRows(standby, Number(replayed) + 2)
  })

  it('that is paused says so, in doctor too', async () => {
    await standby.sql('select pg_wal_replay_pause()')
    await primary.sql(insert)
    const { record, stderr } = await aBackupOf(standby)
    expect(stderr).toMatch(/warning: replay is paused on this standby/)
    expect(record.standby).toMatchObject({ is_paused: true, known_by: 'last-commit' })
    const { stdout } = await runPgbk(['doctor', '-C', (await aBackupOf(primary)).root], { env: standby.env })
    expect(stdout).toMatch(/standby +replay is paused/)
    await standby.sql('select pg_wal_replay_resume()')
  })

  it('that is cut off is as of its last commit, and status takes that age', async () => {
    await primary.sql(insert)
    const all = await primary.sql(count)
    await untilRows(standby, Number(all))
    await set(standby, { primary_conninfo: 'host=/nowhere' })
    await until(
      'it is cut off',
      async () => (await standby.sql('select count(*) from pg_stat_wal_receiver')) === '0',
    )
    const last = await standby.sql(utc('pg_last_xact_replay_timestamp()'))
    await primary.sql(insert)
    await sleep(3000)
    const backup = await aBackupOf(standby)
    expect(backup.stderr).toMatch(/warning: this standby receives no WAL: it is cut off/)
    expect(backup.record).toMatchObject({
      copied_at: last,
      standby: { is_receiving: false, known_by: 'last-commit' },
    })
    expect(await rowsIn(backup, [])).toBe(all)
    const { stdout, status } = await runPgbk(['status', '--json', '--max-age', '3s', '-C', backup.root])
    expect(status).toBe(6)
    expect(JSON.parse(stdout).age_seconds).toBeGreaterThanOrEqual(3)
    const text = await runPgbk(['create', '-C', backup.root], { env: standby.env })
    expect(text.stdout).toContain(`Data as of ${last.slice(0, 10)}`)
  })
})
