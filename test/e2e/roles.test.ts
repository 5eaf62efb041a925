import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, fileIn, type MadeBackup } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { eachMajorFrom, oldestAndNewest, run } from '../helpers/programs.js'
import {
  aServer,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'

const names = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf']

/** Moves a server's configuration files out of its data directory, as Debian has them, with an include directory. */
async function moveConfiguration(server: TestServer): Promise<string> {
  await server.stop()
  const place = join(server.directory, 'etc')
  await run(['mkdir', place, join(place, 'conf.d')])
  for (const name of names) await run(['mv', join(server.data, name), place])
  await appendFile(
    join(place, 'postgresql.conf'),
    `data_directory = '${server.data}'\ninclude_dir 'conf.d'\n# größer than ASCII\n`,
  )
  await writeFile(
    join(place, 'conf.d/tuning.conf'),
    "work_mem = '7MB'\nTimeZone = 'Asia/Kolkata'\nDateStyle = 'German, DMY'\n",
  )
  server.data = place
  await server.start()
  return place
}

describe.each(oldestAndNewest)('a role with only LOGIN and REPLICATION on PostgreSQL %i', (major) => {
  let backup: MadeBackup
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major, settings: { TimeZone: 'Asia/Kolkata' } })
    await fill(server)
    await server.sql('create role plain login replication; revoke connect on database app from public')
    backup = await aBackupOf(server, { env: { PGUSER: 'plain' } })
  })

  it('is enough for a backup that verifies and opens as the superuser', async () => {
    expect(await verifies(backup.snapshot, major)).toBe(true)
    expect(backup.record.superuser).toBe('focker')
    const copy = await openSnapshot(backup.snapshot, major)
    expect(await copy.sql(filledRows, 'app')).toBe(filledAnswer)
    await copy.stop()
    expect(backup.record.server.time_zone).toBe('Asia/Kolkata')
  })

  it('is told what is left out', () => {
    expect(backup.stderr).toContain('role plain may not ask for the size of app')
    expect(backup.stderr).toContain("this role may not read the server's configuration files")
    const app = backup.record.databases.find(({ name }) => name === 'app')
    expect(app).toMatchObject({ size_bytes: null, unlogged_tables: null })
    expect(backup.record).toMatchObject({ preload_libraries: null, config_files: [] })
  })

  it('gets the configuration files that came with the data directory', () => {
    for (const name of names)
      expect(fileIn(backup, `conf/original/${name}`)).toBe(fileIn(backup, `data/${name}`))
    expect(fileIn(backup, 'conf/original/settings-from-pg_settings.conf')).toContain(
      "TimeZone = 'Asia/Kolkata'",
    )
    expect(fileIn(backup, 'conf/original/postgresql.auto.conf')).toContain('archive_command')
  })

  it('sees in show what is unknown', async () => {
    const { stdout } = await runPgbk(['show', backup.record.id, '-C', backup.root])
    expect(stdout).toMatch(/^ +app +unknown /m)
    expect(stdout).toMatch(/^Preloaded +unknown$/m)
  })
})

describe.each(oldestAndNewest)(
  'configuration files outside of the data directory of PostgreSQL %i',
  (major) => {
    let server: TestServer
    let place: string
    beforeAll(async () => {
      server = await aServer({ major })
      await server.sql(`
      create role plain login replication;
      create role reader login replication;
      grant pg_monitor, pg_read_server_files to reader;
      grant execute on function pg_read_file(text) to reader;`)
      place = await moveConfiguration(server)
    })

    const expectAll = (backup: MadeBackup, files: string[]) => {
      for (const name of files)
        expect(fileIn(backup, `conf/original/${name}`)).toBe(readFileSync(join(place, name), 'utf8'))
      const listed = files.map((name) => ({ path: join(place, name), copy: name }))
      expect(backup.record.config_files).toEqual(expect.arrayContaining(listed))
    }

    it('come with a superuser, included ones too', async () => {
      const backup = await aBackupOf(server)
      expectAll(backup, [...names, 'conf.d/tuning.conf'])
    })

    it('come with a role that may read them, included ones too', async () => {
      const backup = await aBackupOf(server, { env: { PGUSER: 'reader' } })
      expectAll(backup, [...names, 'conf.d/tuning.conf'])
      expect(backup.stderr).not.toContain('could not be read')
    })

    it('do not come with a plain role; what pg_settings shows is kept', async () => {
      const backup = await aBackupOf(server, { env: { PGUSER: 'plain' } })
      const original = join(backup.snapshot, 'conf/original')
      expect(existsSync(join(original, 'postgresql.conf'))).toBe(false)
      expect(fileIn(backup, 'conf/original/settings-from-pg_settings.conf')).toContain("work_mem = '7168'")
      expect(backup.stderr).toContain("may not read the server's configuration files")
    })

    it('do not stop the copy from opening with its queries depending on them', async () => {
      const backup = await aBackupOf(server, { env: { PGUSER: 'reader' } })
      expect(await verifies(backup.snapshot, major)).toBe(true)
      expect(backup.record.server.time_zone).toBe('Asia/Kolkata')
      const copy = await openSnapshot(backup.snapshot, major)
      expect(await copy.sql('show DateStyle')).toBe('German, DMY')
      await copy.stop()
    })
  },
)

eachMajorFrom(16, (major) => {
  it(`files that pg_hba.conf includes come too on PostgreSQL ${major}`, async () => {
    const server = await aServer({ major })
    const place = await moveConfiguration(server)
    await mkdir(join(place, 'hba.d'))
    await writeFile(join(place, 'hba.d/offices.conf'), 'host all all 192.0.2.0/24 scram-sha-256\n')
    await appendFile(join(place, 'pg_hba.conf'), 'include hba.d/offices.conf\n')
    await server.sql('select pg_reload_conf()')
    const backup = await aBackupOf(server)
    expect(fileIn(backup, 'conf/original/hba.d/offices.conf')).toContain('192.0.2.0/24')
  })
})
