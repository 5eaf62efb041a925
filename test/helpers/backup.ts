import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupRecord } from '../../src/catalog/record.js'
import { type PgbkOptions, runPgbk } from './pgbk.js'
import { run } from './programs.js'
import { aRoot, type TestServer } from './server.js'
import { isRoot, ordinaryUser } from './users.js'

/** A backup that `create` has made, and what it said. */
export interface MadeBackup {
  root: string
  record: BackupRecord
  directory: string
  snapshot: string
  stderr: string
}

export interface BackupOptions extends PgbkOptions {
  root?: string
  /** Further arguments of create. */
  args?: string[]
}

/** A new backup of a server; fails the test when create does. */
export function aBackupOf(server: TestServer, options: BackupOptions = {}): Promise<MadeBackup> {
  return aBackup({ ...options, env: { ...server.env, ...options.env } })
}

/** A new backup of the server that arguments, environment and configuration name. */
export async function aBackup({ root, args = [], ...options }: BackupOptions): Promise<MadeBackup> {
  const place = root ?? (await aRoot())
  const { status, stdout, stderr } = await runPgbk(['create', '-C', place, '--json', ...args], options)
  if (status !== 0) throw new Error(`create ended with ${status}:\n${stdout}${stderr}`)
  const {
    directory,
    form: _form,
    state: _state,
    hold: _hold,
    proof: _proof,
    own_bytes: _own,
    ...record
  } = JSON.parse(stdout).backup
  return { root: place, record, directory, snapshot: join(directory, 'snapshot'), stderr }
}

/** The same backup once more in its root, under another id. */
export async function aTwinOf(backup: MadeBackup, id: string): Promise<MadeBackup> {
  const directory = join(backup.root, 'data/backup', id)
  await run(['cp', '-a', backup.directory, directory])
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(id) ?? []
  const started_at = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const record = { ...backup.record, id, started_at }
  await writeFile(join(directory, 'backup.json'), JSON.stringify(record))
  return { ...backup, record, directory, snapshot: join(directory, 'snapshot') }
}

/** The same backup in a root of its own, for tests that spoil it. */
export async function aCopyOf(backup: MadeBackup): Promise<MadeBackup> {
  const root = await aRoot()
  const directory = join(root, 'data/backup', backup.record.id)
  await run(['mkdir', '-p', join(root, 'data/backup')])
  await run(['cp', '-a', backup.directory, directory])
  return { ...backup, root, directory, snapshot: join(directory, 'snapshot') }
}

/** The files of a directory and all below it, and its symbolic links. */
export function entriesBelow(directory: string): Dirent[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
}

/** The text of a file of the snapshot. */
export function fileIn({ snapshot }: MadeBackup, path: string): string {
  return readFileSync(join(snapshot, path), 'utf8')
}

/** Writes a file that the ordinary user alone may read. */
export async function aFile(path: string, content: string): Promise<string> {
  await writeFile(path, content)
  await chmod(path, 0o600)
  if (isRoot) await chown(path, ordinaryUser.uid, ordinaryUser.gid)
  return path
}
