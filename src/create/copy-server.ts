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
import { endsWithSwitch, readControlSettings } from '../postgres/check-backup.js'
import { programEnvironment } from '../postgres/connection.js'
import { readSystemIdentifiers } from '../postgres/control-file.js'
import type { ReachedServer } from '../postgres/reach-server.js'
import { isOutside, majorVersion, type ServerFacts } from '../postgres/server-facts.js'
import type { ServerSettings } from '../postgres/server-settings.js'
import { runProgram } from '../program/run-program.js'
import { checkCopied } from './check-copied.js'
import { checkDatabases } from './check-databases.js'
import { checkBeforeCopy, checkSameTablespaces, checkVersionDirectories } from './check-tablespaces.js'
import { type CopyTimes, endOfCopy } from './copy-end.js'
import { leftOutOfCopy } from './left-out-of-copy.js'
import { type CopyOptions, runCopy } from './run-copy.js'

/** What the copied files say about themselves. */
export interface CopiedData extends CopyTimes {
  label: BackupLabel
  range: WalRange
  /** What the server has not sent, by its path below the data directory; no data is lost with it. */
  leftOut: string[]
}

/** Runs pg_basebackup into the layout and makes sure that it copied the server that was asked. */
export async function copyData(
  server: ReachedServer,
  layout: BackupLayout,
  options: CopyOptions,
  context: Context,
): Promise<CopiedData> {
  const { facts, psql } = server
  await checkBeforeCopy(server)
  const notices = await runCopy(server, layout, options, context)
  checkVersionDirectories(facts, layout)
  await checkCopied(layout, facts, context)
  const { leftOut, others } = leftOutOfCopy(notices, layout, facts)
  for (const notice of others) context.progress.warn(notice)
  const times = await endOfCopy(psql, layout, context)
  await checkIdentity(layout, facts)
  await closeToOthers(layout, context)
  await makeLinksRelative(
    layout,
    facts.tablespaces.filter(isOutside).map(({ oid }) => oid),
  )
  const label = await readBackupLabel(join(layout.data, 'backup_label'))
  const range = await readWalRange(join(layout.data, 'backup_manifest'))
  await checkSameTablespaces(server, layout, range, context)
  await checkDatabases(psql, facts, layout)
  return { ...times, label, range, leftOut }
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
  configuration: ServerSettings,
  context: Context,
): Promise<BackupRecord['config_files']> {
  const { facts, installations } = server
  const { files } = configuration
  const major = majorVersion(facts)
  const [main] = files
  const hasMain = main !== undefined && main.refusal === undefined
  const options = { env: programEnvironment(context.env), signal: context.signal }
  const written = await arrangeConf(layout, {
    originals: hasMain ? files : [...files, ...unknownFiles(facts)],
    postgresqlConf: snapshotConf({
      id,
      major,
      settings: knownValues(configuration.settings),
      customSettings: configuration.custom,
      walSegmentSize: facts.wal_segment_size,
      inPlaceTablespaces: facts.tablespaces.some((tablespace) => !isOutside(tablespace)),
      minimums: await readControlSettings(layout.data, major, installations, options),
    }),
  })
  return files
    .filter(({ copy }) => written.includes(copy) && copy !== 'postgresql.auto.conf')
    .map(({ path, copy }) => ({ path, copy }))
}

/**
 * Where the main file may not be read, or not even its name be known: those that came with the base backup, and the settings that are
 * visible.
 */
function unknownFiles({ configured }: ServerFacts) {
  const settings = Object.entries(configured)
    .filter(([name]) => isSettingName(name))
    .map(([name, value]) => `${confLine(name, value)}\n`)
  return [
    ...['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((name) => ({ copy: name, inData: name })),
    { copy: 'settings-from-pg_settings.conf', content: Buffer.from(settings.join('')) },
  ]
}
