// Loaded when it is needed first, which may be as the ordinary user: who may not write what jest keeps of it.
import '../../src/encryption/age-library.js'
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { backupLayout, type RootLayout, rootLayout } from '../../src/catalog/layout.js'
import type { Proof } from '../../src/catalog/proof.js'
import type { BackupRecord, ReadRecord } from '../../src/catalog/record.js'
import type { Context } from '../../src/context.js'
import { silentProgress } from '../../src/progress.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

/** The record of a small backup of a server with one further tablespace. */
export function aRecord(changes: Partial<BackupRecord> = {}): BackupRecord {
  return {
    format: 1,
    id: '20261120T030000Z',
    kind: 'on-demand',
    label: null,
    started_at: '2026-11-20T03:00:00.000Z',
    finished_at: '2026-11-20T03:00:12.345Z',
    server: {
      version: '15.18',
      version_num: 150018,
      version_string: 'PostgreSQL 15.18 on x86_64-pc-linux-gnu, compiled by gcc 12.2.0, 64-bit',
      libc_version: '2.36',
      icu_version: null,
      system_identifier: '7574880158414284817',
      cluster_name: 'shop',
      host: 'db1',
      port: 5432,
      in_recovery: false,
    },
    superuser: 'focker',
    timeline: 1,
    start_lsn: '0/3000028',
    stop_lsn: '0/3000100',
    checkpoint_lsn: changes.start_lsn ?? '0/3000060',
    wal_segment_size: 16 * 1024 * 1024,
    data_checksums: true,
    size_bytes: 40_000_000,
    file_count: 1234,
    tablespaces: [{ oid: 16385, name: 'fast', location: '/mnt/fast', size_bytes: 8192 }],
    databases: ['app', 'postgres', 'template1'].map(aDatabase),
    extensions: [{ name: 'hstore', version: '1.8', database: 'app' }],
    preload_libraries: ['pg_stat_statements'],
    config_files: [],
    verified: true,
    tools: { pgbk: '0.1.0', pg_basebackup: '15.18', pg_verifybackup: '15.18' },
    duration_ms: 12_345,
    ...changes,
  }
}

/** What a record says of a standby that had lost its primary. */
export const aStandby: NonNullable<BackupRecord['standby']> = {
  known_by: 'last-commit',
  is_receiving: false,
  is_paused: false,
  apply_delay_ms: 0,
  has_more_wal: false,
}

export function aDatabase(name: string): BackupRecord['databases'][number] {
  const locale = { encoding: 'UTF8', locale_provider: 'libc', locale: 'C.UTF-8', ctype: 'C.UTF-8' }
  return { name, size_bytes: 7_000_000, ...locale, collation_version: null, unlogged_tables: 0 }
}

/** What `verify --prove` leaves behind when all is well. */
export function aProof(changes: Partial<Proof> = {}): Proof {
  return {
    format: 1,
    backup: '20261120T030000Z',
    finished_at: '2026-11-18T03:00:00.000Z',
    ok: true,
    faults: [],
    postgres_version: '15.18',
    ready_ms: 900,
    replay_ms: null,
    ...changes,
  }
}

/** A root with an empty data/backup. */
export function anEmptyRoot(): RootLayout {
  const root = rootLayout(aDirectory('pgbk-root-'))
  mkdirSync(root.backups, { recursive: true })
  return root
}

/** Lays a backup into a root: the record, and so much of a snapshot as tells that it is whole. */
export function aBackup(root: RootLayout, id: string, changes: Partial<BackupRecord> = {}) {
  const layout = backupLayout(root.backup(id))
  mkdirSync(layout.data, { recursive: true })
  writeFileSync(join(layout.data, 'backup_label'), 'START WAL LOCATION: 0/3000028')
  const record = aRecord({ id, ...changes })
  writeFileSync(layout.record, JSON.stringify(record))
  const segment = join(layout.wal, '000000010000000000000003')
  mkdirSync(layout.wal)
  writeFileSync(segment, '')
  truncateSync(segment, record.wal_segment_size)
  utimesSync(segment, new Date(record.started_at), new Date(record.started_at))
  return layout
}

/** For a context that meets real hosts, on machines that may be slow. */
export const patient = { tickMs: 1000 }

/** What a command is given, on a machine where nothing else happens. */
export function aContext(changes: Partial<Context> = {}): Context {
  return {
    cwd: '/',
    env: { PATH: process.env.PATH },
    self: ['node', 'pgbk.js'],
    progress: silentProgress,
    pgbk: (command) => `pgbk ${command}`,
    signal: new AbortController().signal,
    urgent: new AbortController().signal,
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    umask: 0o022,
    tickMs: 50,
    now: () => new Date('2026-11-20T03:00:00Z'),
    user: () => ({ uid: ordinaryUser.uid, gid: ordinaryUser.gid, name: ordinaryUser.name, home: '/' }),
    idsOf: () => ({ uid: ordinaryUser.uid, gid: ordinaryUser.gid, name: ordinaryUser.name, home: '/' }),
    become: () => {},
    atEnd: () => {},
    ask: undefined,
    askSecret: undefined,
    identities: async () => [],
    ...changes,
  }
}

/** Does something with the rights of the ordinary user, whoever runs the tests. */
export async function asOrdinaryUser<T>(work: () => T | Promise<T>): Promise<T> {
  if (!isRoot) return work()
  process.seteuid?.(ordinaryUser.uid)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

/** What a call throws, for a look at its code, message and hint. */
export async function thrownBy(
  work: () => unknown,
): Promise<{ code: string; message: string; hint: string }> {
  try {
    await work()
  } catch (error) {
    return error as { code: string; message: string; hint: string }
  }
  throw new Error('nothing was thrown')
}

/** A record as it comes from its file. */
export function readFrom(record: BackupRecord): ReadRecord {
  return { summary: record, raw: record }
}
