import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { bewitch, type EvilServer } from '../helpers/evil.js'
import { localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { oldestAndNewest, run } from '../helpers/programs.js'
import { startReceiver } from '../helpers/receiver.js'
import { pgbkIn, restore } from '../helpers/restore.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'

/** In a sandbox, what is called could not tell of it. */
const open = { env: { PGBK_RUN_SANDBOX: 'off' } }

for (const major of oldestAndNewest)
  describe(`whatever the databases of PostgreSQL ${major} call like something of PostgreSQL's`, () => {
    let server: TestServer
    let evil: EvilServer
    let backup: MadeBackup
    /** Who logs in to production meets its triggers: that is the server's own affair. */
    const called = () => evil.called().filter((note) => note !== `${server.data} event-trigger`)

    beforeAll(async () => {
      server = await aServer({ major })
      await server.sql(
        'create role app login; create database shop owner app; create database "strange name"',
      )
      await server.sql('create table ledger as select generate_series(1, 1000) as id', 'shop')
      evil = await bewitch(server)
      backup = await aBackupOf(server, { root: await aRoot() })
    }, 240_000)

    it('doctor finds all well, and status answers', async () => {
      const { stdout } = await pgbkIn(backup.root, ['doctor', '--json'], { env: server.env })
      const failed = JSON.parse(stdout).checks.filter(({ status }: { status: string }) => status === 'failed')
      expect(failed).toEqual([])
      expect(await runPgbk(['status', '-C', backup.root])).toMatchObject({ stderr: '' })
      expect(called()).toEqual([])
    })

    it('create makes a backup, and records what is true', () => {
      const { server: recorded, databases } = backup.record
      expect(recorded).toMatchObject({ port: server.port, host: server.socket, in_recovery: false })
      expect(databases.map(({ name }) => name)).toContain('strange name')
      expect(called()).toEqual([])
    })

    it('wal receive receives', async () => {
      const receiver = startReceiver(backup.root, { env: server.env })
      await receiver.untilItSays(/receiving/)
      const pins = { PGOPTIONS: '-c role=none -c statement_timeout=0' }
      const words = ['-XAtqc', 'select pg_catalog.pg_switch_wal()', '-d', 'postgres']
      await run([`${server.bin}/psql`, ...words], { env: { ...server.env, ...pins } })
      expect(await receiver.end()).toBe(143)
      const { stdout } = await runPgbk(['wal', 'status', '--json', '-C', backup.root], { env: server.env })
      expect(JSON.parse(stdout).slot).toMatchObject({ name: 'pgbk', active: false })
      expect(called()).toEqual([])
    })

    it.each([
      ['at the snapshot', []],
      ['after a replay', ['--to-latest']],
      ['for one of the databases', ['--dbname', 'strange name']],
    ])('local-run calls none of it: %s', async (_, args) => {
      const { status, stderr } = await localRun(backup.root, [...args, '--', 'true'], open)
      expect({ status, stderr: /error|warning/i.test(stderr) ? stderr : '' }).toEqual({
        status: 0,
        stderr: '',
      })
      expect(called()).toEqual([])
    })

    it('verify --prove proves, and calls none of it', async () => {
      const { stdout } = await pgbkIn(backup.root, ['verify', '--prove', '--json'], open)
      expect(JSON.parse(stdout).checks).toMatchObject([{ ok: true, proof: { ok: true, faults: [] } }])
      expect(called()).toEqual([])
    })

    it('restore ends its recovery, and calls none of it', async () => {
      const { status, stderr } = await restore(backup.root, ['--name', 'copy'])
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
      expect((await pgbkIn(backup.root, ['instance', 'stop', 'copy'])).status).toBe(0)
      await server.stop()
      const pgdata = join(aDirectory(), 'data')
      const there = await restore(backup.root, ['-D', pgdata, '--start'])
      expect(there.status === 0 ? '' : there.stderr).toBe('')
      expect(called()).toEqual([])
    })

    it("the user's own SQL meets all of it", async () => {
      const file = join(aDirectory(), 'own.sql')
      writeFileSync(file, "set statement_timeout = 0; select current_setting('port')", { mode: 0o644 })
      const { stderr } = await localRun(backup.root, ['--dbname', 'shop', '--sql', file, '--', 'true'], open)
      expect(stderr).not.toMatch(/error/i)
      expect(called().join('\n')).toMatch(/ function-current_setting$/m)
    })
  })
