import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { MadeBackup } from './backup.js'
import { type PgbkOptions, runPgbk } from './pgbk.js'
import { run } from './programs.js'
import { filledAnswer, filledRows, openSnapshot, verifies } from './server.js'

/** `pgbk download` of the newest backup into a root, with what it printed as JSON. */
export async function download(from: string, to: string, args: string[] = [], options: PgbkOptions = {}) {
  const words = ['download', 'latest', '--from', from, '-C', to, '--json', ...args]
  const { status, stdout, stderr } = await runPgbk(words, options)
  const json = JSON.parse(stdout)
  return { status, stderr, json, error: json.error }
}

/** Whether a copy of a filled server's backup is whole: it verifies, starts, and has all rows. */
export async function isWhole(directory: string, major: number): Promise<boolean> {
  const snapshot = join(directory, 'snapshot')
  const image = join(directory, 'snapshot.squashfs')
  if (existsSync(image)) await run(['unsquashfs', '-no-progress', '-d', snapshot, image])
  if (!(await verifies(snapshot, major))) return false
  const open = await openSnapshot(snapshot, major)
  try {
    return (await open.sql(filledRows, 'app')) === filledAnswer
  } finally {
    await open.stop()
  }
}

/** The directory in which a download of a backup is in progress. */
export function downloadOf({ record }: Pick<MadeBackup, 'record'>, root: string): string {
  return join(root, 'data/backup', `.${record.id}.download`)
}

/** Where a downloaded backup is. */
export function copyOf({ record }: Pick<MadeBackup, 'record'>, root: string): string {
  return join(root, 'data/backup', record.id)
}

/** The whole files that a download has received, by name, with what tells whether they are written again. */
export function received(directory: string): Map<string, string> {
  if (!existsSync(directory)) return new Map()
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !/^\.pgbk|\.pgbk-part$/.test(entry.name))
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const { ino, mtimeMs } = statSync(path)
      return [path.slice(directory.length + 1), `${ino} ${mtimeMs}`]
    }),
  )
}
