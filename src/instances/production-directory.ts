import { existsSync, readFileSync } from 'node:fs'
import { chown, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { snapshotHba, snapshotIdent } from '../backup/conf.js'
import { syncPath, writeDurably } from '../backup/durable.js'
import type { Owner } from '../backup/owner.js'
import type { BackupRecord } from '../backup/record.js'
import { confLines } from '../backup/recovery-conf.js'
import { adaptConf, markedBlock, recoveryBlock, type SwitchedOff } from './production-conf.js'

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
    const path = join(data, name)
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
  const text = readFileSync(join(layout.originalConf, main.copy), 'latin1')
  return new Map([[main.path, 'postgresql.conf'], ...namesOf(others, text)])
}

/** @param text the main file, which may name the two others. */
function namesOf(files: BackupRecord['config_files'], text: string): Map<string, string> {
  const named = (setting: string) => new RegExp(`^\\s*${setting}\\s*=?\\s*'([^']*)'`, 'im').exec(text)?.[1]
  const [hba, ident] = [named('hba_file'), named('ident_file')]
  return new Map(
    files.map(({ path, copy }) => {
      if (path === hba || (hba === undefined && path.endsWith('/pg_hba.conf'))) return [path, 'pg_hba.conf']
      if (path === ident || (ident === undefined && path.endsWith('/pg_ident.conf')))
        return [path, 'pg_ident.conf']
      return [path, copy]
    }),
  )
}

async function writeOriginals(backup: Backup, write: Write): Promise<string[]> {
  const copies = copiesOf(backup)
  const notes: string[] = []
  for (const { path, copy } of backup.record.config_files) {
    const source = join(backup.layout.originalConf, copy)
    const name = copies.get(path) ?? copy
    if (/^pg_(hba|ident)\.conf$/.test(name)) {
      await write(name, readFileSync(source))
      continue
    }
    const adapted = adaptConf(readFileSync(source, 'latin1'), path, copies)
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
    existsSync(visible) ? readFileSync(visible) : '# nothing is known of the server\n',
  )
  return "the server's postgresql.conf is not in the backup: the one here has the settings that could be read from the server"
}

function autoConf({ backup, switchedOff, recovery, port }: ProductionConf): Buffer {
  const original = join(backup.layout.originalConf, 'postgresql.auto.conf')
  const text = existsSync(original) ? readFileSync(original, 'latin1').trimEnd() : ''
  const ownPort = port === undefined ? '' : confLines({ port: String(port) }).trimEnd()
  const parts = [text, ownPort, switchedOff && markedBlock(switchedOff), recovery && recoveryBlock(recovery)]
  return Buffer.from(`${parts.filter(Boolean).join('\n')}\n`, 'latin1')
}

async function giveAway(names: string[], { data, owner }: ProductionConf): Promise<void> {
  for (const name of names) {
    for (let path = join(data, name); path !== data; path = dirname(path)) {
      await chown(path, owner.uid, owner.gid)
      await syncPath(dirname(path))
    }
  }
}
