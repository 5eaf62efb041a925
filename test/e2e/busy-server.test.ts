import { expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor } from '../helpers/programs.js'
import { aRoot, aServer, aStandbyOf } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

/** What create and doctor say of a server that takes no connection. */
async function refusals(env: Record<string, string>): Promise<string[]> {
  const root = await aRoot()
  const ended = await Promise.all(['create', 'doctor'].map((spec) => runPgbk([spec, '-C', root], { env })))
  return ended.map(({ stdout, stderr }) => stdout + stderr)
}

it('a server that is full, or a standby that answers nobody, is not taken for one that is not there', async () => {
  const server = await aServer({
    major: anyMajor,
    settings: { max_connections: '5', superuser_reserved_connections: '2', max_wal_senders: '3' },
  })
  await server.sql('create role app login; create role backup login replication')
  const standby = await aStandbyOf(server)
  const busy = [1, 2, 3].map(() => server.sql('set role app; select pg_sleep(60)').catch(() => ''))
  await until('all are taken', async () =>
    server
      .sql("select count(*) >= 3 from pg_stat_activity where query like '%pg_sleep(60)'")
      .then((is) => is === 't'),
  )
  for (const said of await refusals({ ...server.env, PGUSER: 'backup' })) {
    expect(said).toMatch(/connection slots are reserved|too many clients/)
    expect(said).toContain('max_connections')
    expect(said).not.toMatch(/Is the server running|pg_hba/)
  }
  await server.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()",
  )
  await Promise.all(busy)

  await standby.sql('alter system set hot_standby = off')
  await standby.stop()
  await standby.start()
  for (const said of await refusals(standby.env)) {
    expect(said).toMatch(/Hot standby mode is disabled|starting up/)
    expect(said).toContain('hot_standby')
    expect(said).not.toMatch(/Is the server running|pg_hba/)
  }
})

it('create tells once that root and server share a disk, doctor each time', async () => {
  const server = await aServer({ major: anyMajor })
  const first = await aBackupOf(server)
  expect(first.stderr).toContain('on the same disk')
  expect((await aBackupOf(server, { root: first.root })).stderr).not.toContain('on the same disk')
  const { stdout } = await runPgbk(['doctor', '-C', first.root], { env: server.env })
  expect(stdout).toContain('on the same disk')
})
