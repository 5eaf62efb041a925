import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { failureOf, localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, oldestAndNewest } from '../helpers/programs.js'
import { aServer, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

// One form: what cannot be proven is in the databases.

const table =
  'create table t as select g as id, chr(64 + g) || chr(123 - g) as text from generate_series(1, 26) g;'

/** What this machine lacks, and what holds locks, in a database of its own each. */
const databases: Record<string, string> = {
  sound: table,
  library: `create extension citext; create table t (c citext primary key); insert into t values ('a'), ('b');
    update pg_proc set probin = '$libdir/only_there' where probin = '$libdir/citext'`,
  // An index of another order whose collation was of another version where it was made.
  sorted: `${table} insert into t select 27, 'a'; create index i on t (text collate "C");
    update pg_index set indcollation = (select oid::text::oidvector from pg_collation where collname = 'de-x-icu')
      where indexrelid = 'i'::regclass;
    update pg_collation set collversion = '1.1' where collname = 'de-x-icu'`,
  // Crashes whatever compares two of its keys.
  crash: `create function crash(text, text) returns int language plpgsql as $f$ begin
      copy (select 1) to program 'kill -9 $PPID'; return 0; end $f$;
    create operator class crashing for type text using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=,
      operator 5 >, function 1 bttextcmp(text, text);
    ${table} create index i on t (text crashing);
    update pg_amproc set amproc = 'crash'::regproc
      where amprocfamily = (select oid from pg_opfamily where opfname = 'crashing')`,
  locked: `${table} create index i on t (id); begin; lock table t in access exclusive mode; prepare transaction 'left over'`,
  // None of these keeps it from being proven.
  triggers: `${table} create function no() returns event_trigger language plpgsql as 'begin raise ''DDL is frozen''; end';
    create event trigger no on ddl_command_start execute function no(); alter event trigger no enable always`,
  old: `${table} create extension amcheck schema public version '1.2'; create extension pg_visibility version '1.1'`,
  settings: table,
}

/** Of 17 and newer. */
const atLogin = `create function no() returns event_trigger language plpgsql as 'begin raise ''only the application logs in''; end';
create event trigger no_login on login execute function no(); alter event trigger no_login enable always`

const settings = `
alter database settings set default_transaction_read_only = on;
alter database settings set default_transaction_isolation = serializable;
alter database settings set session_preload_libraries = 'only_there';
alter role all set statement_timeout = '1ms'; alter role all set lock_timeout = '1ms';
alter role focker in database settings set search_path = nothing;
create database closed; alter database closed allow_connections false;
create role app; alter role focker set role = 'app';`

for (const major of oldestAndNewest)
  describe(`a backup of PostgreSQL ${major} that this machine cannot prove`, () => {
    let backup: MadeBackup
    let ended: Awaited<ReturnType<typeof runPgbk>>
    let reasons: string[]

    beforeAll(async () => {
      const server = await aServer({
        major,
        initdb: ['--encoding=UTF8'],
        settings: { max_prepared_transactions: '5' },
      })
      for (const [name, contents] of Object.entries(databases)) {
        await server.sql(`create database ${name}`)
        await server.sql(contents, name)
      }
      // The settings last: they hinder whoever comes after.
      if (major >= 17) await server.sql(atLogin, 'sound')
      await server.sql(settings)
      backup = await aBackupOf(server)
      await aTwinOf(backup, '20260101T000000Z')
      ended = await runPgbk(['verify', '--prove', '-C', backup.root, backup.record.id])
      reasons = ended.stdout
        .split('\n')
        .filter((line) => line.startsWith('  not proven: '))
        .sort()
    }, 240_000)

    it('is told with the reason for each database, and is no fault', () => {
      expect(ended.status).toBe(7)
      expect(reasons).toEqual([
        expect.stringMatching(
          /database crash: the server has ended the session: (?:server process|client backend) .* was terminated by signal 9/,
        ),
        expect.stringMatching(
          /database library: index public\.t_pkey: could not access file "(?:\$libdir\/)?only_there"/,
        ),
        "  not proven: database locked: index public.i: prepared transaction 'left over' of focker in locked holds a lock on it",
        "  not proven: database locked: table public.t: prepared transaction 'left over' of focker in locked holds a lock on it",
        expect.stringMatching(
          /database sorted: index public\.i: collation de-x-icu is of version \S+ here, and was of 1\.1/,
        ),
      ])
    })

    it('keeps that as its proof, which is not a failed one', async () => {
      const proof = JSON.parse(readFileSync(join(backup.directory, 'proof.json'), 'utf8'))
      expect(proof).toMatchObject({
        ok: false,
        faults: [],
        unproven: [{ database: 'crash' }, {}, {}, {}, {}],
      })
      const shown = await runPgbk(['show', 'latest', '-C', backup.root])
      expect(shown.stdout).toMatch(/^Proof +not proven just now; database crash: /m)
      expect(shown.stdout).toContain(backup.record.id)
      expect(shown.stderr).toBe('')
    })

    if (major >= 17)
      it('opens all the same where a trigger refuses every login, and says how', async () => {
        const words = ['--dbname', 'sound', '--', 'psql', '-XAtc', 'select 42']
        const { stdout, stderr } = await localRun(backup.root, words)
        expect(stdout).toBe('')
        expect(stderr).toMatch(/database sound has triggers at login \(no_login\): .*event_triggers=off/)
      })

    it('is no reason for status to be critical, nor for prune to prefer an older one', async () => {
      const { status, stdout } = await runPgbk(['status', '--json', '-C', backup.root, '--max-age', '9000d'])
      expect(status).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({
        check: 'unproven',
        problems: [{ severity: 'warning', text: 'the newest backup could not be proven' }],
      })
      const config = await aFile(join(backup.root, 'p.json'), '{"retention":{"on_demand":1}}')
      const pruned = await runPgbk(['prune', '--dry-run', '--json', '-C', backup.root, '--config', config])
      expect(JSON.parse(pruned.stdout).kept).toMatchObject([{ id: backup.record.id }])
    })
  })

describe('a proof that cannot be made', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, settings: { max_prepared_transactions: '5' } })
  }, 120_000)

  it('for its server does not start here says why, and leaves the last one', async () => {
    const backup = await aBackupOf(server)
    const proof = join(backup.directory, 'proof.json')
    const config = await aFile(
      join(backup.root, 'p.json'),
      '{"run":{"settings":{"shared_preload_libraries":"only_there"}}}',
    )
    const words = ['verify', '--prove', '-C', backup.root]
    const { status, stdout } = await runPgbk([...words, '--config', config])
    expect(status).toBe(7)
    expect(stdout).toMatch(/not proven: it does not start: .*could not access file "only_there"/)
    expect((await runPgbk(words)).status).toBe(0)
    const proven = readFileSync(proof, 'utf8')
    expect((await runPgbk([...words, '--config', config])).status).toBe(7)
    expect(readFileSync(proof, 'utf8')).toBe(proven)
  })

  it('is a warning of create, which nobody who watches misses', async () => {
    const { root } = await aBackupOf(server)
    const settings = { shared_preload_libraries: 'only_there' }
    const config = await aFile(join(root, 'p.json'), JSON.stringify({ run: { settings } }))
    const words = ['create', '--prove', '--quiet', '-C', root, '--config', config]
    const { status, stdout } = await runPgbk(words, { env: server.env })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^Backup \d{8}T\d{6}Z is not proven: it does not start: .*only_there/)
  })
})

describe('a superuser that may not log in', () => {
  it('is why a backup is not proven, and local-run says what to do', async () => {
    const server = await aServer({ major: anyMajor })
    await server.sql('create role backup login replication; alter role focker nologin')
    const backup = await aBackupOf(server, { env: { PGUSER: 'backup' } })
    const { status, stdout } = await runPgbk(['verify', '--prove', '-C', backup.root])
    expect(status).toBe(7)
    expect(stdout).toContain('not proven: it does not start: role "focker" is not permitted to log in')
    expect(await failureOf(backup.root, [])).toMatchObject({
      status: 1,
      hint: expect.stringContaining('ALTER ROLE ... LOGIN'),
    })
  })
})

describe('a prepared transaction that has changed the superuser', () => {
  let backup: MadeBackup
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor, settings: { max_prepared_transactions: '5' } })
    await server.sql(`begin; alter role focker connection limit 50; prepare transaction 'migration'`)
    backup = await aBackupOf(server)
  }, 120_000)

  it('keeps no proof from being made', async () => {
    expect((await runPgbk(['verify', '--prove', '-C', backup.root])).status).toBe(0)
  })

  it('leaves a run its socket', async () => {
    const { status, stdout, stderr } = await localRun(backup.root, ['--', 'psql', '-XAtc', 'select 42'])
    expect({ status, stdout }).toEqual({ status: 0, stdout: '42' })
    expect(stderr).toContain("prepared transaction 'migration' of focker in postgres holds a lock")
  })
})

describe('while SQL runs in a copy', () => {
  let backup: MadeBackup
  let config: string
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor })
    backup = await aBackupOf(server)
    const sql = [{ statement: 'select pg_sleep(600)', expect: '' }]
    config = await aFile(join(backup.root, 'p.json'), JSON.stringify({ verify: { sql } }))
  }, 120_000)

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s ends a proof at once, and nothing stays', async (signal, status) => {
    const child = startPgbk(['verify', '--prove', '--verbose', '-C', backup.root, '--config', config])
    let said = ''
    child.stderr?.on('data', (chunk) => {
      said += chunk
    })
    await until('the statement runs', () => said.includes('your statements'))
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends --sql of local-run at once, and nothing stays', async (signal, status) => {
    const file = await aFile(join(backup.root, 'slow.sql'), 'select pg_sleep(600)')
    const child = startLocalRun(backup.root, ['--sql', file, '--', 'true'])
    await until('its server is there', () => remainsOf(backup.root).processes.length > 0)
    child.kill(signal)
    expect((await child).exitCode).toBe(status)
    expect(remainsOf(backup.root)).toEqual(nothing)
  })
})
