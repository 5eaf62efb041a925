import { existsSync, readdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../../catalog/backup.js'
import { majorOf } from '../../catalog/record.js'
import { snapshotHba, snapshotIdent } from '../../snapshot/conf/conf.js'
import { confFileIfThere, readConfFile } from '../../snapshot/conf/conf-file.js'
import { confLines } from '../../snapshot/conf/conf-line.js'
import { replaceDurably, syncPath, writeDurably } from '../../system/files/durable.js'
import { inside } from '../../system/paths/inside.js'
import { adaptAuth } from './conf/adapt-auth.js'
import { containAuth } from './conf/contain-auth.js'
import { containConf } from './conf/contain-conf.js'
import { type FoundSettings, settingsInText } from './conf/dangers-in-conf.js'
import { lastingSettings, socketsHere } from './conf/lasting-settings.js'
import {
  adaptConf,
  markedBlock,
  recoveryBlock,
  type SwitchedOff,
  switchedOff,
  withoutRecovery,
} from './conf/production-conf.js'
import { autoConfName, originalOf } from './conf/server-file-names.js'
import { serverFiles } from './conf/server-files.js'

export interface ProductionConf {
  backup: ReadableBackup
  /** The directory that it is brought into. */
  data: string
  /** Where the data directory is as it has come: there already, or still in the snapshot. */
  source: string
  /** What the server ran with, at least (`recoveryMinimums`). */
  minimums: Readonly<Record<string, number>>
  /** Undefined for `--as-production`. */
  switchedOff: SwitchedOff | undefined
  recovery: Readonly<Record<string, string>> | undefined
  port: number | undefined
}

/**
 * Brings the server's own configuration back into a restored data directory.
 * @returns what was changed or is missing, in plain words.
 */
export async function writeProductionConf(conf: ProductionConf): Promise<string[]> {
  const { backup, data } = conf
  const written: string[] = []
  const write = async (name: string, text: string | Buffer) => {
    const path = inside(data, name)
    await mkdir(dirname(path), { recursive: true })
    await writeDurably(path, text)
    written.push(name)
  }
  const notes = await writeOriginals(conf, write)
  const main = join(data, 'postgresql.conf')
  if (!existsSync(main)) notes.push(await writeSubstitute(backup, write))
  for (const [name, text] of [
    ['pg_hba.conf', snapshotHba],
    ['pg_ident.conf', snapshotIdent],
  ] as const) {
    if (existsSync(join(data, name))) continue
    await write(name, text)
    notes.push(`${name} is not in the backup: the one here lets only local users in`)
  }
  const contained = await containConf(data)
  await containAuth(data, majorOf(recordOf(backup)))
  const lasting = lastingSettings(conf.minimums, contained.settings)
  const sockets = conf.switchedOff ? socketsHere(contained.settings, data) : { text: '', notes: [] }
  notes.push(...contained.notes, ...lasting.notes, ...sockets.notes)
  await write(autoConfName, autoConf(conf, contained.settings, lasting.text + sockets.text))
  if (conf.recovery) await write('recovery.signal', '')
  await syncWritten(written, data)
  return notes
}

type Write = (name: string, text: string | Buffer) => Promise<void>

/** Puts the server's files back, each made to work where it is now. Returns what will be missing. */
async function writeOriginals({ backup, source }: ProductionConf, write: Write): Promise<string[]> {
  const record = recordOf(backup)
  const files = serverFiles(backup, source)
  const names = new Map([...files.values()].map(({ path, name }) => [path, name]))
  const missing = new Map(record.configuration?.missing.map(({ path, reason }) => [path, reason]))
  const isEmpty = (directory: string) =>
    record.configuration !== undefined && !missing.has(directory) && !missing.has(`${directory}/`)
  const adaptations: string[] = []
  for (const { path, name, content, kind } of files.values()) {
    const text = content.toString('latin1')
    const adapted =
      kind === 'auth'
        ? { text: adaptAuth(text, path, names, { major: majorOf(record), isEmpty }), notes: [] }
        : adaptConf(text, path, names, isEmpty)
    await write(name, Buffer.from(adapted.text, 'latin1'))
    adaptations.push(...adapted.notes)
  }
  const notes = [...new Set(adaptations)]
  const isTold = (path: string) => notes.some((note) => note.startsWith(`${path},`))
  const untold = [...missing].filter(([path]) => !isTold(path.replace(/\/$/, '')))
  return [...notes, ...untold.map(([path, reason]) => `${path} is not in the backup: ${reason}`)]
}

/** Where the role that made the backup may not read the files, the settings that it could see, else those of the snapshot. */
async function writeSubstitute(backup: ReadableBackup, write: Write): Promise<string> {
  const visible = originalOf(backup, 'settings-from-pg_settings.conf')
  await write('postgresql.conf', visible ?? '# nothing is known of the server\n')
  return "the server's postgresql.conf is not in the backup: the one here has the settings that could be read from the server"
}

/** The server's own bytes, in whatever encoding they are, and ours behind them. */
function autoConf(
  { backup, data, switchedOff: planned, recovery, port }: ProductionConf,
  found: FoundSettings,
  lasting: string,
): Buffer {
  const ownPort = port === undefined ? undefined : confLines({ port: String(port) })
  // What is there now may be another text than that of the plan.
  const off = planned && markedBlock(switchedOff(recordOf(backup), found))
  const blocks = [ownPort, lasting, off, recovery && recoveryBlock(recovery)]
  return Buffer.concat([
    readConfFile(join(data, autoConfName), data),
    Buffer.from(`\n${blocks.filter(Boolean).join('\n')}`),
  ])
}

/** What the server's configuration files say, as far as they are in the backup; for the plan. */
export function settingsOfServer(backup: Pick<ReadableBackup, 'snapshot'>): FoundSettings {
  const layout = snapshotOf(backup)
  const names = readdirSync(layout.originalConf, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const texts = [...names, join(layout.data, 'postgresql.conf')].map((path) =>
    confFileIfThere(path, layout.snapshot)?.toString('latin1'),
  )
  return settingsInText(texts.join('\n'))
}

/** Takes the settings of the first recovery out again when it is over. */
export async function endRecovery(data: string): Promise<void> {
  const path = join(data, 'postgresql.auto.conf')
  const text = withoutRecovery(readConfFile(path, data).toString('latin1'))
  await replaceDurably(path, Buffer.from(text, 'latin1'))
}

async function syncWritten(names: string[], data: string): Promise<void> {
  for (const name of names)
    for (let path = join(data, name); path !== data; path = dirname(path)) await syncPath(dirname(path))
}
