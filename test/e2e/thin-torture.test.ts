import { join } from 'node:path'
import { beforeAll, describe, expect } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { oldestAndNewest, run } from '../helpers/programs.js'
import { aServer, fill, type TestServer, verifies } from '../helpers/server.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'

/** All that PostgreSQL does to files below base/ and the tablespaces; a backend that is killed makes it crash and recover. */
const torture = (major: number) => `
  set work_mem = '64kB';
  set max_parallel_workers_per_gather = 0;
  insert into ledger select n, timestamptz '2026-11-20' from generate_series(2000, 40000) n;
  update ledger set at = null where id % 3 = 0;
  delete from ledger where id % 7 = 0;
  create table wide as select n, repeat(md5(n::text), 20) as filler from generate_series(1, 10000) n order by md5(n::text);
  create index on wide (filler);
  alter table wide add primary key (n);
  checkpoint;
  cluster wide using wide_pkey;
  vacuum full ledger;
  vacuum (freeze) wide;
  truncate parts;
  insert into parts select n % 200 from generate_series(1, 5000) n;
  alter table wide set tablespace two;
  alter table elsewhere set tablespace pg_default;
  create table gone tablespace one as table wide;
  drop table gone;
  reindex table wide;
  select lo_from_bytea(4712, decode(repeat('00ff', 100000), 'hex'));
  create database copied template "strange name"${major >= 15 ? ' strategy file_copy' : ''};
  create database logged template "strange name"${major >= 15 ? ' strategy wal_log' : ''};
  alter database copied set tablespace two;
  checkpoint;
  update wide set filler = reverse(filler) where n % 2 = 0;
  delete from elsewhere where n < 50;`

const crash = `copy (select 1) to program 'kill -9 $PPID'`

/** The backup's contents after all that, and what of it is not sound. */
const script = (major: number) => `
  psql -XAtq -v ON_ERROR_STOP=1 -f torture.sql >&2 || exit 1
  psql -XAtqc "${crash.replaceAll('$', '\\$')}" >&2
  # A session may come before the others are told of the crash, and be cut off.
  tries=0
  until psql -XAtqc 'vacuum full' -c checkpoint >&2; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.2; done
  ${major >= 14 ? 'pg_amcheck --all --install-missing --heapallindexed >&2 || exit 1' : ''}
  ${dumped}`

const dumped = `pg_dumpall --no-role-passwords >dump || exit 1; grep -v restrict dump | sha1sum; grep -c . dump`

describe.each(oldestAndNewest)('PostgreSQL %i', (major) => {
  let server: TestServer
  let backup: MadeBackup
  let before: string
  beforeAll(async () => {
    server = await aServer({
      major,
      settings: { archive_mode: 'on', archive_command: 'true', autovacuum: 'off' },
    })
    await fill(server)
    backup = await aBackupOf(server)
    before = fingerprint(backup.snapshot)
  })

  const on = async (copy: string, words: string, args: string[] = []) => {
    const directory = aDirectory('pgbk-torture-')
    await run(['sh', '-c', `cat >${directory}/torture.sql`], {
      input: torture(major),
      stdin: undefined,
    } as never)
    const settings = ['-c', 'autovacuum=off', '-c', 'synchronize_seqscans=off', '-c', 'shared_buffers=2MB']
    const command = ['sh', '-c', `cd ${directory}; ${words}`]
    const ended = await localRun(backup.root, [
      '--working-copy',
      copy,
      '--dbname',
      'app',
      ...settings,
      ...args,
      '--',
      ...command,
    ])
    return {
      status: ended.status,
      stdout: ended.stdout,
      error: /^.*(?:ERROR|PANIC|pgbk: ).*$/m.exec(ended.stderr)?.[0],
    }
  }

  needs('user namespaces', '/dev/fuse').it(
    'does on a thin copy what it does on a full one, crash and recovery included, and the backup stays as it is',
    async () => {
      const [thin, copy] = [await on('thin', script(major)), await on('copy', script(major))]
      expect(thin).toMatchObject({ status: 0, error: undefined })
      expect(thin).toEqual(copy)
      expect(fingerprint(backup.snapshot)).toBe(before)
      expect(await verifies(backup.snapshot, major)).toBe(true)
      expect(remainsOf(backup.root)).toEqual(nothing)
    },
    400_000,
  )

  needs('user namespaces', '/dev/fuse').it(
    'replays all of that to the latest moment',
    async () => {
      const wal = join(backup.directory, 'wal')
      await server.sql(
        `alter system set archive_command = 'cp %p ${wal}/%f'; select pg_reload_conf(); select pg_switch_wal()`,
      )
      await server.sql(torture(major), 'app')
      const last = await server.sql('select pg_walfile_name(pg_switch_wal())')
      await until(
        'its WAL is archived',
        async () => (await server.sql('select last_archived_wal from pg_stat_archiver')) >= last,
      )
      const [thin, copy] = [
        await on('thin', dumped, ['--to-latest']),
        await on('copy', dumped, ['--to-latest']),
      ]
      expect(thin).toMatchObject({ status: 0, error: undefined })
      expect(thin).toEqual(copy)
      expect(fingerprint(backup.snapshot)).toBe(before)
    },
    400_000,
  )
})
