import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackup, aBackupOf, aFile } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { startReceiver } from '../helpers/receiver.js'
import { aRoot, aServer, aStandbyOf, type TestServer } from '../helpers/server.js'

describe.each(oldestAndNewest)('of several hosts of PostgreSQL %i', (major) => {
  let primary: TestServer
  let standby: TestServer
  let root: string
  beforeAll(async () => {
    primary = await aServer({ major, settings: { listen_addresses: '127.0.0.1' } })
    standby = await aStandbyOf(primary)
    root = await aRoot()
  })

  const lists = () => ({
    host: `${primary.socket},${standby.socket}`,
    port: `${primary.port},${standby.port}`,
    user: primary.superuser,
  })
  const conninfo = (further: string) =>
    `${Object.entries(lists())
      .map(([key, value]) => `${key}=${value}`)
      .join(' ')} dbname=postgres ${further}`
  const portOf = async (args: string[], env: Record<string, string> = {}) =>
    (await aBackup({ root, args: ['--no-verify', ...args], env })).record.server.port

  it.each([
    ['read-write', 'primary'],
    ['primary', 'primary'],
    ['any', 'primary'],
    ['standby', 'standby'],
    ['read-only', 'standby'],
    ['prefer-standby', 'standby'],
  ])('target_session_attrs=%s backs the %s up', async (attributes, which) => {
    const port = await portOf(['-d', conninfo(`target_session_attrs=${attributes}`)])
    expect(port).toBe((which === 'primary' ? primary : standby).port)
  })

  it('load_balance_hosts backs one of them up', async () => {
    const port = await portOf(['-d', conninfo('load_balance_hosts=random')])
    expect([primary.port, standby.port]).toContain(port)
  })

  it('the environment chooses too', async () => {
    const { host: PGHOST, port: PGPORT, user: PGUSER } = lists()
    const env = { PGHOST, PGPORT, PGUSER, PGLOADBALANCEHOSTS: 'random' }
    expect(await portOf([], { ...env, PGTARGETSESSIONATTRS: 'prefer-standby' })).toBe(standby.port)
  })

  it('a service file chooses too, and a URI', async () => {
    const { host, port, user } = lists()
    const text = `[any]\nhost=${host}\nport=${port}\nuser=${user}\ndbname=postgres\ntarget_session_attrs=prefer-standby\nload_balance_hosts=random\n`
    const PGSERVICEFILE = await aFile(join(aDirectory(), 'services'), text)
    expect(await portOf([], { PGSERVICEFILE, PGSERVICE: 'any' })).toBe(standby.port)
    const hosts = [primary, standby].map((one) => `${encodeURIComponent(one.socket)}:${one.port}`).join()
    const uri = `postgresql://${user}@${hosts}/postgres?target_session_attrs=standby&load_balance_hosts=random`
    expect(await portOf(['-d', uri])).toBe(standby.port)
  })

  it('one that is down, or lets nobody in, is passed over', async () => {
    const dead = await aFreePort()
    const list = `host=127.0.0.1,${primary.socket},${standby.socket} port=${dead},${primary.port},${standby.port}`
    const args = ['-d', `${list} user=${primary.superuser} target_session_attrs=prefer-standby`]
    expect(await portOf(args)).toBe(standby.port)
  })

  it('wal receive stays with the one that is chosen', async () => {
    const receiver = startReceiver(root, { args: ['-d', conninfo('target_session_attrs=primary')] })
    await receiver.untilItSays(/receiving WAL of .* into the archive/)
    expect(await primary.sql('select count(*) from pg_stat_replication')).toBe('2')
    expect(receiver.said()).not.toContain('pg_receivewal ended')
    await receiver.end()
    expect((await runPgbk(['wal', 'drop-slot', '--yes', '-C', root], { env: primary.env })).status).toBe(0)
  })
})

describe('what no waiting mends', () => {
  it('ends wal receive with the line that mends it', async () => {
    const server = await aServer({ major: anyMajor })
    const { root } = await aBackupOf(server)
    await writeFile(join(server.data, 'pg_hba.conf'), 'local all all trust\n')
    await server.sql('select pg_reload_conf()')
    const { status, stderr } = await runPgbk(['wal', 'receive', '-C', root], { env: server.env })
    expect(status).toBe(5)
    expect(stderr).toMatch(/pg_receivewal cannot connect: .*no pg_hba\.conf entry for replication/)
    expect(stderr).toMatch(/local +replication +focker/)
  })
})
