// `pgbk list` on a root with very many backups, as a table and as JSON.
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asUser, check, measure, pgbk, printTime, readOptions, withDirectory } from './measure.js'

const options = readOptions({ backups: 10_000, runs: 9 })
const first = Date.parse('2001-01-01T03:00:00Z')

await withDirectory(async (root) => {
  for (let day = 0; day < Number(options.backups); day++) makeBackup(root, day)
  const { backups } = JSON.parse(check([...pgbk, 'list', '-C', root, '--json']))
  if (backups.length !== Number(options.backups)) throw new Error(`${backups.length} backups are listed`)

  const commands = [['list'], ['list', '--json'], ['prune', '--dry-run', '--default-policy']]
  for (const words of commands) {
    const times = []
    const command = asUser([...pgbk, ...words, '-C', root])
    await measure(command)
    for (let run = 0; run < Number(options.runs); run++) times.push((await measure(command)).ms)
    printTime(
      `pgbk ${words.join(' ')} of ${options.backups} backups`,
      times,
      words[0] === 'list' ? 700 : 2000,
    )
  }
})

/** What `list` reads of a backup: its record, whether there is a backup_label, and what is in its WAL archive. */
function makeBackup(root, day) {
  const startedAt = new Date(first + day * 86_400_000)
  const id = `${startedAt.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const directory = join(root, 'data', 'backup', id)
  mkdirSync(join(directory, 'snapshot', 'data'), { recursive: true })
  writeFileSync(join(directory, 'snapshot', 'data', 'backup_label'), 'START WAL LOCATION: 0/2000028\n')
  mkdirSync(join(directory, 'wal'))
  const lsn = lsnOf(startedAt)
  const segment = join(directory, 'wal', `00000001${hex(lsn.high, 8)}${hex(lsn.low, 8)}`)
  writeFileSync(segment, '')
  truncateSync(segment, 16 * 1024 ** 2)
  utimesSync(segment, startedAt, startedAt)
  writeFileSync(join(directory, 'backup.json'), `${JSON.stringify(recordOf(id, startedAt), undefined, 2)}\n`)
}

/** Some segments further each day: no archive goes on in another's, since nobody receives WAL. */
function lsnOf(startedAt) {
  const day = Math.round((startedAt.getTime() - first) / 86_400_000)
  return { high: 16 + (day >> 6), low: (day & 63) * 4 }
}

function hex(number, digits) {
  return number.toString(16).toUpperCase().padStart(digits, '0')
}

function recordOf(id, startedAt) {
  const { high, low } = lsnOf(startedAt)
  const lsn = (offset) => `${hex(high, 1)}/${hex(low, 2)}${hex(offset, 6)}`
  const database = (name) => ({
    name,
    size_bytes: 734_003_200,
    encoding: 'UTF8',
    locale_provider: 'libc',
    locale: 'en_US.UTF-8',
    ctype: 'en_US.UTF-8',
    collation_version: '2.36',
    unlogged_tables: 0,
  })
  const extension = (name) => ({ name, version: '1.10', database: 'app' })
  return {
    format: 1,
    id,
    kind: 'scheduled',
    label: 'nightly, before the import',
    started_at: startedAt.toISOString(),
    finished_at: new Date(startedAt.getTime() + 95_000).toISOString(),
    server: {
      version: '17.6',
      version_num: 170006,
      version_string: 'PostgreSQL 17.6 on x86_64-pc-linux-gnu, compiled by gcc 12.2.0, 64-bit',
      libc_version: '2.36',
      icu_version: '153.120',
      system_identifier: '7440012345678901234',
      cluster_name: 'production',
      host: 'db1.example.org',
      port: 5432,
      in_recovery: false,
    },
    superuser: 'postgres',
    timeline: 1,
    start_lsn: lsn(0x28),
    stop_lsn: lsn(0x158),
    checkpoint_lsn: lsn(0x80),
    wal_segment_size: 16_777_216,
    data_checksums: true,
    tablespaces: [{ oid: 16_385, name: 'archive', location: '/srv/archive', size_bytes: 209_715_200 }],
    databases: ['app', 'postgres', 'reports', 'template0', 'template1'].map(database),
    extensions: ['pg_stat_statements', 'pg_trgm', 'postgis', 'uuid-ossp'].map(extension),
    preload_libraries: ['pg_stat_statements'],
    config_files: ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((copy) => ({
      path: `/etc/postgresql/17/main/${copy}`,
      copy,
    })),
    verified: true,
    tools: { pgbk: '0.1.0', pg_basebackup: '17.6', pg_verifybackup: '17.6' },
    duration_ms: 95_000,
    size_bytes: 2_147_483_648,
    file_count: 3100,
  }
}
