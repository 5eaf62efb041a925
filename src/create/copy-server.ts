import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { arrangeConf, makeLinksRelative } from '../backup/arrange-snapshot.js'
import { type BackupLabel, readBackupLabel } from '../backup/backup-label.js'
import { confLine, isSettingName, snapshotConf } from '../backup/conf.js'
import { knownValues } from '../backup/conf-rules.js'
import type { BackupLayout } from '../backup/layout.js'
import { parseLsn } from '../backup/lsn.js'
import { readWalRange } from '../backup/manifest.js'
import type { WalRange } from '../backup/manifest-parser.js'
import type { BackupRecord } from '../backup/record.js'
import { segmentsOf } from '../backup/segment-range.js'
import { seedWalArchive } from '../backup/wal-archive.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { baseBackupArgs, runBaseBackup } from '../postgres/base-backup.js'
import { endsWithSwitch, findTablespaceRecords, readControlSettings } from '../postgres/check-backup.js'
import type { ConfigFiles } from '../postgres/config-files.js'
import { programEnvironment } from '../postgres/connection.js'
import { readSystemIdentifiers } from '../postgres/control-file.js'
import { query } from '../postgres/psql.js'
import type { ReachedServer } from '../postgres/reach-server.js'
import { isOutside, majorVersion, type ServerFacts } from '../postgres/server-facts.js'
import type { ServerSettings } from '../postgres/server-settings.js'
import { sql } from '../postgres/sql.js'
import { watchWaiting } from '../postgres/waiting.js'
import { runProgram } from '../program/run-program.js'
import { checkCopied } from './check-copied.js'
import { type CopyTimes, endOfCopy } from './copy-end.js'

export interface CopyOptions {
  label: string
  applicationName: string
  checkpoint: 'fast' | 'spread'
  maxRate: string | undefined
}

/** What the copied files say about themselves. */
export interface CopiedData extends CopyTimes {
  label: BackupLabel
  range: WalRange
}

/** Runs pg_basebackup into the layout and makes sure that it copied the server that was asked. */
export async function copyData(
  server: ReachedServer,
  layout: BackupLayout,
  options: CopyOptions,
  context: Context,
): Promise<CopiedData> {
  const { facts, psql, clients } = server
  const args = baseBackupArgs(psql.connection, {
    ...options,
    dataDirectory: layout.data,
    tablespacesDirectory: layout.tablespaces,
    tablespaces: facts.tablespaces,
  })
  context.progress.detail(`pg_basebackup ${args.join(' ')}`)
  const watch = watchWaiting(psql, options.applicationName, context.progress)
  try {
    const program = join(clients.bin, 'pg_basebackup')
    await runBaseBackup({
      program,
      args,
      env: psql.connection.env,
      signal: context.signal,
      progress: watch.progress,
    })
  } finally {
    watch.stop()
  }
  await checkCopied(layout, facts, context)
  const times = await endOfCopy(psql, layout, context)
  await checkIdentity(layout, facts)
  await closeToOthers(layout, context)
  await makeLinksRelative(
    layout,
    facts.tablespaces.filter(isOutside).map(({ oid }) => oid),
  )
  const label = await readBackupLabel(join(layout.data, 'backup_label'))
  const range = await readWalRange(join(layout.data, 'backup_manifest'))
  await checkTablespaces(server, layout, range, context)
  return { ...times, label, range }
}

/**
 * A tablespace that came while the backup ran is at its place on the server, in the copy too, or will be when its WAL is replayed:
 * the copy would write there.
 */
async function checkTablespaces(
  server: ReachedServer,
  layout: BackupLayout,
  range: WalRange,
  context: Context,
): Promise<void> {
  const { facts, psql, installations } = server
  const now = await query(
    psql,
    sql`SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid;`,
  )
  const same = now.trim() === facts.tablespaces.map(({ oid }) => oid).join('\n')
  const search = {
    pgWal: layout.pgWal,
    range,
    major: majorVersion(facts),
    installations,
    env: programEnvironment(context.env),
    signal: context.signal,
  }
  if (same && !(await findTablespaceRecords(search))) return
  throw new PgbkError('failed', 'a tablespace was created or dropped while the backup ran', {
    hint: 'Run pgbk create again.',
  })
}

/** A server with group access (initdb --allow-group-access) passes that on to its copies. */
async function closeToOthers(layout: BackupLayout, { env, signal }: Context): Promise<void> {
  if (((await stat(layout.data)).mode & 0o077) === 0) return
  const { status, stderr } = await runProgram('chmod', ['-R', 'go=', layout.snapshot], {
    env: programEnvironment(env),
    signal,
  })
  if (status !== 0) throw new PgbkError('failed', `cannot close the snapshot to others: ${stderr.trim()}`)
}

async function checkIdentity({ data }: BackupLayout, facts: ServerFacts): Promise<void> {
  const identifiers = await readSystemIdentifiers(data)
  if (identifiers.includes(facts.system_identifier)) return
  throw new PgbkError(
    'failed',
    `psql reached cluster ${facts.system_identifier}, pg_basebackup cluster ${identifiers[0]}`,
    {
      hint: 'The host name leads to more than one server. Name one of them.',
    },
  )
}

/** Copies the WAL of the backup into its archive. */
export async function archiveWal(
  server: ReachedServer,
  layout: BackupLayout,
  range: WalRange,
  context: Context,
): Promise<void> {
  const segmentSize = server.facts.wal_segment_size
  const segments = [...segmentsOf(range, segmentSize).names()]
  const endsSegment = parseLsn(range.endLsn) % BigInt(segmentSize) === 0n
  const lastIsComplete =
    endsSegment ||
    (await endsWithSwitch({
      pgWal: layout.pgWal,
      segment: segments.at(-1) ?? '',
      fromLsn: range.endLsn,
      major: majorVersion(server.facts),
      installations: server.installations,
      env: programEnvironment(context.env),
      signal: context.signal,
    }))
  await seedWalArchive({ pgWal: layout.pgWal, archive: layout.wal, segments, segmentSize, lastIsComplete })
}

/** Writes conf/. Returns which of the server's configuration files are kept, and where. */
export async function writeConf(
  server: ReachedServer,
  layout: BackupLayout,
  id: string,
  configuration: ServerSettings & ConfigFiles,
  context: Context,
): Promise<BackupRecord['config_files']> {
  const { facts, installations } = server
  const { files } = configuration
  const major = majorVersion(facts)
  const options = { env: programEnvironment(context.env), signal: context.signal }
  const written = await arrangeConf(layout, {
    originals: files.length > 0 ? files : unknownFiles(facts),
    postgresqlConf: snapshotConf({
      id,
      major,
      settings: knownValues(configuration.settings),
      customSettings: configuration.custom,
      knowsTimeZone: false,
      walSegmentSize: facts.wal_segment_size,
      inPlaceTablespaces: facts.tablespaces.some((tablespace) => !isOutside(tablespace)),
      minimums: await readControlSettings(layout.data, major, installations, options),
    }),
  })
  return files.filter(({ copy }) => written.includes(copy)).map(({ path, copy }) => ({ path, copy }))
}

/** Where not even the files' names may be known: those that came with the base backup, and the settings that are visible. */
function unknownFiles({ configured }: ServerFacts) {
  const settings = Object.entries(configured)
    .filter(([name]) => isSettingName(name))
    .map(([name, value]) => `${confLine(name, value)}\n`)
  return [
    ...['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((name) => ({ copy: name, inData: name })),
    { copy: 'settings-from-pg_settings.conf', content: Buffer.from(settings.join('')) },
  ]
}
