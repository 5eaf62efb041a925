import { existsSync } from 'node:fs'
import { chown, lchown, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { snapshotHba, snapshotIdent } from '../backup/conf.js'
import { syncPath, writeDurably } from '../backup/durable.js'
import type { Owner } from '../backup/owner.js'
import type { BackupRecord } from '../backup/record.js'
import { confLines } from '../backup/recovery-conf.js'
import { inside } from '../inside.js'
import { mostBytes, readSmall } from '../read-small.js'
import {
  adaptConf,
  markedBlock,
  recoveryBlock,
  type SwitchedOff,
  settingIn,
  withoutRecovery,
} from './production-conf.js'

export interface ProductionConf {
  backup: Backup
  data: string
  owner: Owner
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
  await write('postgresql.auto.conf', autoConf(conf))
  if (conf.recovery) await write('recovery.signal', '')
  await giveAway(written, conf)
  return notes
}

type Write = (name: string, text: string | Buffer) => Promise<void>

/** The names that the server's files get in the data directory, by their paths on the server. */
function copiesOf({ record, layout }: Backup): Map<string, string> {
  const [main, ...others] = record.config_files
  if (main === undefined || /pg_(hba|ident)\.conf$/.test(main.path)) return namesOf(record.config_files, '')
  const text = confText(inside(layout.originalConf, main.copy))
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
    const source = inside(backup.layout.originalConf, copy)
    const name = copies.get(path) ?? copy
    if (/^pg_(hba|ident)\.conf$/.test(name)) {
      await write(name, readSmall(source, mostBytes.conf))
      continue
    }
    const adapted = adaptConf(confText(source), path, copies)
    await write(name, Buffer.from(adapted.text, 'latin1'))
    notes.push(...adapted.notes)
  }
  return notes
}

/** Where the role that made the backup may not read the files, the settings that it could see, else those of the snapshot. */
async function writeSubstitute({ layout }: Backup, write: Write): Promise<string> {
  const visible = join(layout.originalConf, 'settings-from-pg_settings.conf')
  await write(
    'postgresql.conf',
    existsSync(visible) ? readSmall(visible, mostBytes.conf) : '# nothing is known of the server\n',
  )
  return "the server's postgresql.conf is not in the backup: the one here has the settings that could be read from the server"
}

/** The server's own bytes, in whatever encoding they are, and ours behind them. */
function autoConf({ backup, switchedOff, recovery, port }: ProductionConf): Buffer {
  const original = join(backup.layout.originalConf, 'postgresql.auto.conf')
  const ownPort = port === undefined ? undefined : confLines({ port: String(port) })
  const blocks = [ownPort, switchedOff && markedBlock(switchedOff), recovery && recoveryBlock(recovery)]
  return Buffer.concat([
    existsSync(original) ? readSmall(original, mostBytes.conf) : Buffer.alloc(0),
    Buffer.from(`\n${blocks.filter(Boolean).join('\n')}`),
  ])
}

/** Every byte is a character, whatever encoding it is in. */
function confText(path: string): string {
  return readSmall(path, mostBytes.conf).toString('latin1')
}

/** Takes the settings of the first recovery out again when it is over. */
export async function endRecovery(data: string, { uid, gid }: Owner): Promise<void> {
  const path = join(data, 'postgresql.auto.conf')
  const next = `${path}.pgbk`
  await writeFile(next, withoutRecovery(confText(path)), {
    encoding: 'latin1',
    flag: 'wx',
    flush: true,
    mode: 0o600,
  })
  await lchown(next, uid, gid)
  await rename(next, path)
  await syncPath(data)
}

async function giveAway(names: string[], { data, owner }: ProductionConf): Promise<void> {
  for (const name of names) {
    for (let path = join(data, name); path !== data; path = dirname(path)) {
      await chown(path, owner.uid, owner.gid)
      await syncPath(dirname(path))
    }
  }
}
