import { join } from 'node:path'
import type { BackupLayout } from '../catalog/layout.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { readControlSettings } from '../postgres/programs/check-backup.js'
import { type ConfigFiles, readConfigFiles } from '../postgres/server/config-files.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { isOutside, majorVersion, type ServerFacts } from '../postgres/server/server-facts.js'
import type { ServerSettings } from '../postgres/server/server-settings.js'
import { arrangeConf } from '../snapshot/arrange-snapshot.js'
import { snapshotConf } from '../snapshot/conf/conf.js'
import { confLine, isSettingName } from '../snapshot/conf/conf-line.js'
import { knownValues } from '../snapshot/conf/conf-rules.js'
import type { RecordInput } from './build-record.js'
import type { CopiedData } from './copy/copy-server.js'

/** Writes conf/, and says what of the server is not in the backup. */
export async function keepConf(
  server: ConnectedServer,
  layout: BackupLayout,
  known: { id: string; copied: CopiedData; settings: ServerSettings },
  context: Context,
): Promise<Pick<RecordInput, 'configFiles' | 'configuration' | 'skipped'>> {
  const { id, copied, settings } = known
  const { psql, facts } = server
  const found = await readConfigFiles(psql, facts, layout)
  const configFiles = await writeConf(server, layout, { id, ...settings, ...found }, context)
  const skipped = copied.leftOut.filter((name) => !isRead(name, found, facts))
  sayUnread(found, context.progress)
  saySkipped(skipped, context.progress)
  return { configFiles, configuration: found.configuration, skipped }
}

/** Whether it is a configuration file that was asked for, or a directory of such. */
function isRead(name: string, { files }: ConfigFiles, { data_directory }: ConnectedServer['facts']): boolean {
  const place = join(data_directory ?? '', name)
  return files.some(({ path }) => path === place || path.startsWith(`${place}/`))
}

function saySkipped(skipped: string[], { warn }: Context['progress']): void {
  if (skipped.length === 0) return
  const more = skipped.length > mostNamed ? ` and ${skipped.length - mostNamed} more` : ''
  warn(
    `not in the backup, because PostgreSQL copies no symbolic links and special files of a data directory: ${skipped.slice(0, mostNamed).join(', ')}${more}`,
  )
}

const mostNamed = 10

function sayUnread({ configuration }: ConfigFiles, progress: Context['progress']): void {
  if (!configuration) {
    progress.warn(
      "this role may not read the server's configuration files: conf/original has what came with the data directory and what pg_settings shows",
    )
  }
  for (const { path, reason } of configuration?.missing ?? [])
    progress.warn(
      path.endsWith('/')
        ? `the files in ${path} could not be listed, and some may not be in the backup: ${reason}`
        : `${path} could not be read and is not in the backup: ${reason}`,
    )
}

/** Writes conf/. Returns which of the server's configuration files are kept, and where. */
async function writeConf(
  server: ConnectedServer,
  layout: BackupLayout,
  configuration: ServerSettings & ConfigFiles & { id: string },
  context: Context,
): Promise<BackupRecord['config_files']> {
  const { facts, installations } = server
  const { files } = configuration
  const major = majorVersion(facts)
  const hasMain = files.some(({ path }) => path === configuration.configuration?.main)
  const options = { env: context.env, signal: context.signal }
  const written = await arrangeConf(layout, {
    originals: hasMain ? files : [...files, ...unknownFiles(facts)],
    postgresqlConf: snapshotConf({
      id: configuration.id,
      major,
      settings: knownValues(configuration.settings),
      customSettings: configuration.custom,
      knowsTimeZone: false,
      walSegmentSize: facts.wal_segment_size,
      inPlaceTablespaces: facts.tablespaces.some((tablespace) => !isOutside(tablespace)),
      minimums: await readControlSettings(layout.data, major, installations, options),
    }),
  })
  return files
    .filter(({ copy }) => written.includes(copy) && copy !== 'postgresql.auto.conf')
    .map(({ path, copy }) => ({ path, copy }))
}

/** Where the main file may not be read, or not even its name be known: those that came with the base backup, and the settings that are visible. */
function unknownFiles({ configured }: ServerFacts) {
  const settings = Object.entries(configured)
    .filter(([name]) => isSettingName(name))
    .map(([name, value]) => `${confLine(name, value)}\n`)
  return [
    ...['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((name) => ({ copy: name, inData: name })),
    { copy: 'settings-from-pg_settings.conf', content: Buffer.from(settings.join('')) },
  ]
}
