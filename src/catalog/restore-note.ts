import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PgbkError, systemCode } from '../errors.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'
import { namesIn } from '../system/paths/names-in.js'
import { lifeOf, markFields, markOfThisProcess } from '../system/process/process-mark.js'
import type { RootLayout } from './layout.js'

const schema = v.object({
  ...markFields,
  backup: v.string(),
  data: v.string(),
  /** Other backups in whose archives its WAL lies. */
  archives: v.optional(v.array(v.string()), []),
})

type RestoreNote = v.InferOutput<typeof schema>

/** A data directory that cannot do without a backup: it is being filled, or has still to replay the backup's WAL. */
export interface RestoreClaim {
  backup: string
  /** Others in whose archives its WAL lies. */
  archives: string[]
  data: string
  /** `perhaps being filled`: by a process of another container, or of a machine that may have been started anew since. */
  state: 'being filled' | 'perhaps being filled' | 'not recovered'
  /** The file that says so. */
  note: string
}

/**
 * Notes in `data/restores/` that a data directory needs a backup from now on.
 * @returns what takes the note back. Who may not write there notes nothing.
 */
export async function noteRestore(
  root: RootLayout,
  backup: string,
  data: string,
  archives: string[] = [],
): Promise<() => Promise<void>> {
  // No pid: in another container another process may have the same.
  const name = `${backup}-${randomInt(1e9, 1e10)}.json`
  const path = join(root.restores, name)
  const note: RestoreNote = { ...markOfThisProcess(), backup, data, archives }
  await ifAllowed(async () => {
    mkdirSync(root.restores, { recursive: true })
    for (const old of notesIn(root)) {
      if (claimIn(old) === undefined) rmSync(old, { force: true })
    }
    // Another restore that read half of it would sweep it.
    await replaceDurably(path, `${JSON.stringify(note)}\n`)
  })
  return () => ifAllowed(() => rmSync(path, { force: true }))
}

/** What is needed now. To whom the notes are closed they are of no use: only their owner removes backups. */
export function restoreClaimsIn(root: RootLayout): RestoreClaim[] {
  return notesIn(root).flatMap((note) => claimIn(note) ?? [])
}

/** Without those that are being written. */
function notesIn({ restores }: RootLayout): string[] {
  const names = namesIn(restores, 'EACCES').filter((name) => !name.startsWith('.'))
  return names.map((name) => join(restores, name))
}

function claimIn(path: string): RestoreClaim | undefined {
  const note = readNote(schema, path)
  const state = note && stateOf(note)
  return state && { backup: note.backup, archives: note.archives, data: note.data, state, note: path }
}

function stateOf(note: RestoreNote): RestoreClaim['state'] | undefined {
  const life = lifeOf(note)
  if (life === 'alive') return 'being filled'
  if (life === 'elsewhere' && !isFilled(note)) return 'perhaps being filled'
  return hasToRecover(note) ? 'not recovered' : undefined
}

/** pg_control is the last file that a restore copies. */
function isFilled({ data }: RestoreNote): boolean {
  return existsSync(join(data, 'global', 'pg_control'))
}

/** PostgreSQL removes recovery.signal when recovery is over. A directory that is closed to the caller may still need the backup. */
function hasToRecover({ backup, data }: RestoreNote): boolean {
  try {
    statSync(join(data, 'recovery.signal'))
    return readSmallText(join(data, 'postgresql.auto.conf'), mostBytes.conf).includes(backup)
  } catch (error) {
    if (systemCode(error) === 'EACCES' || error instanceof PgbkError) return true
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

async function ifAllowed(work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(systemCode(error) ?? '')) throw error
  }
}
