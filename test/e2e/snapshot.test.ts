import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, entriesBelow, fileIn, type MadeBackup } from '../helpers/backup.js'
import { byReadme } from '../helpers/by-readme.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, binOf, itMajors, oldestAndNewest, run } from '../helpers/programs.js'
import {
  aRoot,
  aServer,
  conninfo,
  fill,
  filledAnswer,
  filledRows,
  type OpenSnapshot,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'
import { until } from '../helpers/traces.js'

/** Answers of a copy, opened in place. */
async function answerOf({ snapshot, record }: MadeBackup, statements: string, database?: string) {
  const major = Math.floor(record.server.version_num / 10_000)
  const copy = await openSnapshot(snapshot, major, record.superuser)
  try {
    return await copy.sql(statements, database)
  } finally {
    await copy.stop()
  }
}

/** Moves a backup to another directory, and takes its root away. */
async function movedAway(backup: MadeBackup): Promise<string> {
  const place = join(aDirectory(), 'somewhere else')
  await run(['cp', '-a', backup.directory, place])
  await run(['rm', '-r', join(backup.root, 'data')])
  return join(place, 'snapshot')
}

/** A server with a preload library that no other server can find. */
async function aServerWithLibrary(major: number, settings: Record<string, string>): Promise<TestServer> {
  const libraries = aDirectory('pgbk-libraries-')
  const library = join(binOf(major), '../lib/pg_stat_statements.so')
  await run(['cp', library, join(libraries, 'only_there.so')])
  return aServer({
    major,
    settings: {
      ...settings,
      dynamic_library_path: `$libdir:${libraries}`,
      shared_preload_libraries: 'only_there',
      session_preload_libraries: '',
    },
  })
}

/** Gives the bootstrap superuser a name that initdb would not take. */
async function rename(server: TestServer, name: string): Promise<void> {
  await server.sql('create role another login superuser')
  const connect = [...['-h', server.socket], ...['-p', String(server.port)], ...['-U', 'another']]
  const statement = `alter role ${server.superuser} rename to "${name.replaceAll('"', '""')}"`
  await run([`${server.bin}/psql`, ...connect, '-c', statement, 'postgres'])
  server.superuser = name
}

describe.each(oldestAndNewest)('a snapshot of PostgreSQL %i', (major) => {
  let server: TestServer
  let archived: string
  const settings = {
    max_connections: '250',
    max_worker_processes: '17',
    max_wal_senders: '13',
    max_prepared_transactions: '5',
    max_locks_per_transaction: '99',
    wal_level: 'logical',
    TimeZone: 'Asia/Kolkata',
    DateStyle: 'SQL, DMY',
    default_text_search_config: 'pg_catalog.german',
    search_path: '"$user", "odd ""schema""", public',
    'app.tenant': "it''s \\\\ ours",
  }
  beforeAll(async () => {
    server = await aServerWithLibrary(major, settings)
    await fill(server)
    archived = join(server.directory, 'archived')
    await server.sql(`
      alter system set cluster_name = 'production';
      alter system set primary_conninfo = 'host=production';
      alter system set restore_command = 'touch ${server.directory}/restored';`)
    await server.stop()
    await server.start()
  })

  it('starts after it was moved, with nothing of its root left', async () => {
    const snapshot = await movedAway(await aBackupOf(server))
    expect(await verifies(snapshot, major)).toBe(true)
    const copy = await openSnapshot(snapshot, major)
    expect(await copy.sql(filledRows, 'app')).toBe(filledAnswer)
    await copy.stop()
  })

  describe('as it was made, and opened in place', () => {
    let backup: MadeBackup
    let copy: OpenSnapshot | undefined
    beforeAll(async () => {
      backup = await aBackupOf(server, { root: join(await aRoot(), 'a-place-to-be-found') })
    })
    afterAll(() => copy?.stop())

    it('holds no path of its root, and only relative links', () => {
      const entries = entriesBelow(backup.directory).map((entry) => ({
        entry,
        path: join(entry.parentPath, entry.name),
      }))
      const links = entries
        .filter(({ entry }) => entry.isSymbolicLink())
        .map(({ path }) => readlinkSync(path))
      expect(links.sort()).toEqual([
        expect.stringMatching(/^\.\.\/\.\.\/tablespaces\/\d+$/),
        expect.stringMatching(/^\.\.\/\.\.\/tablespaces\/\d+$/),
      ])
      const files = entries.filter(({ entry }) => entry.isFile()).map(({ path }) => path)
      expect(files.length).toBeGreaterThan(1000)
      expect(files.filter((path) => readFileSync(path).includes('a-place-to-be-found'))).toEqual([])
    })

    it('is readable by its owner alone', () => {
      const { directory, root } = backup
      const paths = [join(root, 'data'), directory]
      for (const entry of entriesBelow(directory)) {
        if (!entry.isSymbolicLink()) paths.push(join(entry.parentPath, entry.name))
      }
      expect(paths.filter((path) => (statSync(path).mode & 0o077) !== 0)).toEqual([])
    })

    it("keeps the server's ALTER SYSTEM settings to read, and has none of them", async () => {
      const kept = fileIn(backup, 'conf/original/postgresql.auto.conf')
      expect(kept).toContain("primary_conninfo = 'host=production'")
      expect(kept).toContain(`archive_command = 'echo touched >> ${archived}'`)
      expect(fileIn(backup, 'data/postgresql.auto.conf')).toBe('')
      copy = await openSnapshot(backup.snapshot, major)
      const names = [
        'archive_mode',
        'archive_command',
        'primary_conninfo',
        'primary_slot_name',
        'cluster_name',
      ]
      const answer = await copy?.sql(names.map((name) => `show ${name};`).join(''))
      expect(answer).toBe(`off\n(disabled)\n\n\npgbk ${backup.record.id}`)
    })

    it("does not preload the server's libraries, and names them", async () => {
      expect(await server.sql('show shared_preload_libraries')).toBe('only_there')
      expect(await copy?.sql('show shared_preload_libraries')).toBe('')
      expect(backup.record.preload_libraries).toEqual(['only_there'])
      expect(fileIn(backup, 'README')).toContain('only_there')
    })

    it('takes over what recovery needs', async () => {
      const names = Object.keys(settings).slice(0, 5)
      expect(await copy?.sql(names.map((name) => `show ${name};`).join(''))).toBe('250\n17\n13\n5\n99')
    })

    it('takes over what queries depend on', async () => {
      const names = ['DateStyle', 'default_text_search_config', 'search_path']
      const questions = names.map((name) => `show ${name};`).join('')
      const answer = await server.sql(questions)
      expect(answer).toBe('SQL, DMY\npg_catalog.german\n"$user", "odd ""schema""", public')
      expect(await copy?.sql(questions)).toBe(answer)
      // A machine that does not know the zone would not start it.
      expect(fileIn(backup, 'conf/postgresql.conf')).toMatch(/^# TimeZone = 'Asia\/Kolkata' /m)
      expect(fileIn(backup, 'README')).toContain('\n  postgres -D conf -c TimeZone=Asia/Kolkata\n')
    })

    it('takes over the settings of applications', async () => {
      expect(await server.sql('show app.tenant')).toBe("it's \\ ours")
      expect(await copy?.sql('show app.tenant')).toBe("it's \\ ours")
    })
  })

  it("does not run the server's archive_command", async () => {
    await until('the server archives', async () => {
      await server.sql('select pg_switch_wal(); checkpoint')
      return existsSync(archived)
    })
    const backup = await aBackupOf(server)
    await server.stop()
    await run(['rm', archived])
    const archivers = await answerOf(
      backup,
      `create table more (n int); select pg_switch_wal() is null; checkpoint;
       select count(*) from pg_stat_activity where backend_type = 'archiver'`,
    )
    await server.start()
    expect(archivers).toBe('f\n0')
    expect(existsSync(archived)).toBe(false)
    expect(existsSync(join(server.directory, 'restored'))).toBe(false)
  })

  it('leaves the slot of a subscription alone', async () => {
    await server.sql('create database subscriber')
    await server.sql(
      `create publication p for table ledger; select pg_create_logical_replication_slot('s', 'pgoutput')`,
      'app',
    )
    await server.sql(
      `create table ledger (id int primary key, at timestamptz);
       create subscription s connection '${conninfo(server)} dbname=app' publication p
         with (create_slot = false, slot_name = 's', copy_data = false)`,
      'subscriber',
    )
    const isActive = () => server.sql("select active from pg_replication_slots where slot_name = 's'")
    await until('the subscription works', async () => (await isActive()) === 't')
    const backup = await aBackupOf(server)
    await server.sql('alter subscription s disable', 'subscriber')
    await until('the slot is free', async () => (await isActive()) === 'f')
    const answer = await answerOf(
      backup,
      `select subenabled from pg_subscription; show max_logical_replication_workers;
       select count(*) from pg_stat_activity where backend_type like 'logical replication%'`,
    )
    expect(answer).toBe('t\n0\n0')
    expect(await isActive()).toBe('f')
  })

  it('opens by the commands of its README', async () => {
    const backup = await aBackupOf(server)
    const copy = await byReadme(backup.snapshot, major)
    expect(await copy.psql('select current_user, pg_is_in_recovery()')).toBe('focker|f')
    await copy.stop()
  })
})

describe('a snapshot of an unusual cluster', () => {
  it.each([1, 64])('with WAL segments of %i MB verifies, opens and has complete segments', async (size) => {
    const server = await aServer({ major: anyMajor, initdb: [`--wal-segsize=${size}`] })
    await server.sql('create table t as select generate_series(1, 50000) as n')
    const backup = await aBackupOf(server)
    const segments = readdirSync(join(backup.directory, 'wal'))
    expect(backup.record.wal_segment_size).toBe(size * 1024 * 1024)
    expect(segments.every((name) => /^[0-9A-F]{24}$/.test(name))).toBe(true)
    expect(statSync(join(backup.directory, 'wal', segments[0] ?? '')).size).toBe(size * 1024 * 1024)
    expect(await verifies(backup.snapshot, anyMajor)).toBe(true)
    expect(await answerOf(backup, 'select count(*) from t; show wal_segment_size')).toBe(`50000\n${size}MB`)
  })

  it.each(oldestAndNewest)('without checksums verifies and opens (PostgreSQL %i)', async (major) => {
    const server = await aServer({ major, checksums: false })
    const backup = await aBackupOf(server)
    expect(backup.record.data_checksums).toBe(false)
    expect(fileIn(backup, 'README')).toMatch(/Checksums +off/)
    expect(await verifies(backup.snapshot, major)).toBe(true)
    expect(await answerOf(backup, 'show data_checksums')).toBe('off')
  })

  it.each(oldestAndNewest)(
    'with group access opens, readable by its owner alone (PostgreSQL %i)',
    async (major) => {
      const server = await aServer({ major, initdb: ['--allow-group-access'] })
      await fill(server)
      const backup = await aBackupOf(server)
      const open = entriesBelow(backup.directory)
        .filter((entry) => !entry.isSymbolicLink())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => (statSync(path).mode & 0o077) !== 0)
      expect(open.slice(0, 5)).toEqual([])
      expect(await verifies(backup.snapshot, major)).toBe(true)
      expect(await answerOf(backup, filledRows, 'app')).toBe(filledAnswer)
    },
  )

  itMajors(
    oldestAndNewest.filter((major) => major >= 15),
    'with tablespaces in place verifies and opens (PostgreSQL %i)',
    async (major) => {
      const server = await aServer({ major })
      await fill(server)
      await server.sql("set allow_in_place_tablespaces = on; create tablespace inside location ''")
      await server.sql('create table t tablespace inside as select generate_series(1, 100) as n')
      const backup = await aBackupOf(server)
      const inside = backup.record.tablespaces.find(({ name }) => name === 'inside')
      expect(inside).toMatchObject({ location: `pg_tblspc/${inside?.oid}`, size_bytes: expect.any(Number) })
      expect(inside?.size_bytes).toBeGreaterThan(0)
      expect(await verifies(backup.snapshot, major)).toBe(true)
      expect(await answerOf(backup, 'select count(*) from t')).toBe('100')
    },
  )

  itMajors(
    oldestAndNewest.filter((major) => major >= 15),
    'with a database of an ICU locale opens and says which (PostgreSQL %i)',
    async (major) => {
      const server = await aServer({ major, initdb: ['--encoding=UTF8', '--locale=C'] })
      await server.sql(
        "create database sorted template template0 encoding 'UTF8' locale_provider icu icu_locale 'de-DE'",
      )
      const backup = await aBackupOf(server)
      const database = backup.record.databases.find(({ name }) => name === 'sorted')
      expect(database).toMatchObject({ locale_provider: 'icu', locale: 'de-DE' })
      expect(database?.collation_version).toMatch(/^\d/)
      expect(backup.record.server.icu_version).toMatch(/^\d/)
      expect(fileIn(backup, 'README')).toContain('de-DE (icu)')
      expect(await answerOf(backup, "select 'a' < 'B', 'ä' < 'b'", 'sorted')).toBe('t|t')
    },
  )

  it.each(oldestAndNewest)(
    'with odd names of roles and databases opens by its README (PostgreSQL %i)',
    async (major) => {
      const superuser = `Groß "O'Neil" $HOME`
      const server = await aServer({ major, initdb: ['--encoding=UTF8', '--locale=C'] })
      const names = ['with space', 'UPPER', `it's "quoted"`, '名前', 'a=b', 'back\\slash']
      for (const name of names) await server.sql(`create database "${name.replaceAll('"', '""')}"`)
      await server.sql('create extension pg_trgm', 'UPPER')
      await server.sql(`create database "host=nowhere x='" template "UPPER"`)
      await rename(server, superuser)
      const backup = await aBackupOf(server, { env: { PGUSER: superuser } })
      expect(backup.stderr).not.toContain('warning: the record')
      expect(backup.record.superuser).toBe(superuser)
      expect(backup.record.databases.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
      expect(backup.record.extensions.map(({ database }) => database)).toEqual(['UPPER', "host=nowhere x='"])
      const copy = await byReadme(backup.snapshot, major)
      expect(await copy.psql('select current_user')).toBe(superuser)
      await copy.stop()
    },
  )

  it('with neither a database postgres nor template1 opens by its README', async () => {
    const server = await aServer({ major: anyMajor })
    await server.sql('create database app')
    await server.sql('drop database postgres; alter database template1 is_template false', 'app')
    await server.sql('drop database template1', 'app')
    const backup = await aBackupOf(server, { args: ['-d', 'app'] })
    const copy = await byReadme(backup.snapshot, anyMajor)
    expect(await copy.psql('select current_database()')).toBe('app')
    await copy.stop()
  })
})
