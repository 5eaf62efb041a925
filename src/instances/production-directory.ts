import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { snapshotHba, snapshotIdent } from '../backup/conf.js'
import { confFileIfThere, readConfFile } from '../backup/conf-file.js'
import { syncPath, writeDurably } from '../backup/durable.js'
import type { BackupRecord } from '../backup/record.js'
import { confLines } from '../backup/recovery-conf.js'
import { PgbkError } from '../errors.js'
import { inside } from '../inside.js'
import { containConf } from './contain-conf.js'
import { type FoundSettings, settingsInText } from './dangers-in-conf.js'
import {
  adaptConf,
  markedBlock,
  recoveryBlock,
  type SwitchedOff,
  settingIn,
  switchedOff,
  withoutRecovery,
} from './production-conf.js'

export interface ProductionConf {
  backup: Backup
  data: string
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
  const notes = await writeOriginals(backup, write)
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
  await write(autoConfName, originalAutoConf(backup))
  const contained = await containConf(data)
  notes.push(...contained.notes)
  await write(autoConfName, autoConf(conf, contained.settings))
  if (conf.recovery) await write('recovery.signal', '')
  await syncWritten(written, data)
  return notes
}

const autoConfName = 'postgresql.auto.conf'

/** What is a server's data, or tells it what to do with that; its configuration has other names. */
const ofCluster =
  /^(?:(?:base|global|pg_(?!hba|ident)[a-z_]*)(?:\/|$)|(?:recovery\.signal|standby\.signal|postmaster\.(?:pid|opts)|backup_label|tablespace_map|promote|PG_VERSION)$)/

type Write = (name: string, text: string | Buffer) => Promise<void>

/** The names that the server's files get in the data directory, by their paths on the server. */
function copiesOf({ record, layout }: Backup): Map<string, string> {
  const [main, ...others] = record.config_files
  if (main === undefined || /pg_(hba|ident)\.conf$/.test(main.path)) return namesOf(record.config_files, '')
  const text = originalOf({ layout }, main.copy)?.toString('latin1') ?? ''
  return new Map([[main.path, 'postgresql.conf'], ...namesOf(others, text)])
}

/** @param text the main file, which may name the two others; a relative name counts from the data directory. */
function namesOf(files: BackupRecord['config_files'], text: string): Map<string, string> {
  const isNamed = (setting: string, ending: string) => {
    const named = settingIn(text, setting)
    return (path: string) => (named === undefined ? path.endsWith(ending) : isAtEnd(path, named))
  }
  const [isHba, isIdent] = [isNamed('hba_file', '/pg_hba.conf'), isNamed('ident_file', '/pg_ident.conf')]
  return new Map(
    files.map(({ path, copy }) => [
      path,
      isHba(path) ? 'pg_hba.conf' : isIdent(path) ? 'pg_ident.conf' : copy,
    ]),
  )
}

function isAtEnd(path: string, named: string): boolean {
  return path === named || (!isAbsolute(named) && path.endsWith(`/${named}`))
}

async function writeOriginals(backup: Backup, write: Write): Promise<string[]> {
  const copies = copiesOf(backup)
  const notes: string[] = []
  for (const { path, copy } of backup.record.config_files) {
    const content = originalOf(backup, copy)
    if (content === undefined)
      throw new PgbkError('damaged', `conf/original/${copy} is missing in backup ${backup.id}`)
    const name = copies.get(path) ?? copy
    if (ofCluster.test(normalize(name)))
      throw new PgbkError('damaged', `the record names a file of the data as configuration: ${name}`)
    if (/^pg_(hba|ident)\.conf$/.test(name)) {
      await write(name, content)
      continue
    }
    const adapted = adaptConf(content.toString('latin1'), path, copies)
    await write(name, Buffer.from(adapted.text, 'latin1'))
    notes.push(...adapted.notes)
  }
  return notes
}

/** Where the role that made the backup may not read the files, the settings that it could see, else those of the snapshot. */
async function writeSubstitute(backup: Backup, write: Write): Promise<string> {
  const visible = originalOf(backup, 'settings-from-pg_settings.conf')
  await write('postgresql.conf', visible ?? '# nothing is known of the server\n')
  return "the server's postgresql.conf is not in the backup: the one here has the settings that could be read from the server"
}

/** One of the server's own files. @throws {PgbkError} `damaged` when it lies elsewhere, or is no ordinary file. */
function originalOf({ layout }: Pick<Backup, 'layout'>, copy: string): Buffer | undefined {
  return confFileIfThere(inside(layout.originalConf, copy), layout.snapshot)
}

function originalAutoConf(backup: Backup): Buffer {
  return originalOf(backup, autoConfName) ?? Buffer.alloc(0)
}

/** The server's own bytes, in whatever encoding they are, and ours behind them. */
function autoConf(
  { backup, data, switchedOff: planned, recovery, port }: ProductionConf,
  found: FoundSettings,
): Buffer {
  const ownPort = port === undefined ? undefined : confLines({ port: String(port) })
  // What is there now may be another text than that of the plan.
  const off = planned && markedBlock(switchedOff(backup.record, found))
  const blocks = [ownPort, off, recovery && recoveryBlock(recovery)]
  return Buffer.concat([
    readConfFile(join(data, autoConfName), data),
    Buffer.from(`\n${blocks.filter(Boolean).join('\n')}`),
  ])
}

/** What the server's configuration files say, as far as they are in the backup; for the plan. */
export function settingsOfServer({ layout }: Pick<Backup, 'layout'>): FoundSettings {
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
  const next = `${path}.pgbk`
  await writeFile(next, withoutRecovery(readConfFile(path, data).toString('latin1')), {
    encoding: 'latin1',
    flag: 'wx',
    flush: true,
    mode: 0o600,
  })
  await rename(next, path)
  await syncPath(data)
}

async function syncWritten(names: string[], data: string): Promise<void> {
  for (const name of names)
    for (let path = join(data, name); path !== data; path = dirname(path)) await syncPath(dirname(path))
}
