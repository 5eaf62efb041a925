import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../errors.js'
import { namesIn } from '../names-in.js'
import { lifeOf, markOfThisProcess } from '../processes.js'
import { check, v } from '../schema.js'
import type { RootLayout } from './layout.js'

const schema = v.object({
  pgbk_pid: v.number(),
  pgbk_start_time: v.nullable(v.string()),
  pid_space: v.nullable(v.string()),
  backup: v.string(),
  data: v.string(),
})

type Note = v.InferOutput<typeof schema>

/** A data directory that cannot do without a backup: it is being filled, or has still to replay the backup's WAL. */
export interface Need {
  backup: string
  data: string
  state: 'being filled' | 'not recovered'
  /** The file that says so. */
  note: string
}

/**
 * Notes in `data/restores/` that a data directory needs a backup from now on. Root does so as the owner of the root.
 * @returns what takes the note back. Who may not write there notes nothing.
 */
export function noteRestore(root: RootLayout, backup: string, data: string): () => void {
  const { uid } = statSync(root.backups)
  const path = join(root.restores, `${backup}-${process.pid}.json`)
  const note: Note = { ...markOfThisProcess(), backup, data }
  asOwner(uid, () => {
    mkdirSync(root.restores, { recursive: true })
    for (const name of namesIn(root.restores)) {
      const old = join(root.restores, name)
      if (needIn(old) === undefined) rmSync(old, { force: true })
    }
    writeFileSync(path, `${JSON.stringify(note)}\n`, { flag: 'wx', flush: true })
  })
  return () => asOwner(uid, () => rmSync(path, { force: true }))
}

/** What is needed now. To whom the notes are closed they are of no use: only their owner removes backups. */
export function needsIn({ restores }: RootLayout): Need[] {
  return namesIn(restores, 'EACCES').flatMap((name) => needIn(join(restores, name)) ?? [])
}

function needIn(path: string): Need | undefined {
  try {
    const note = check(schema, JSON.parse(readFileSync(path, 'utf8'))).value
    if (!note) return undefined
    const { backup, data } = note
    if (lifeOf(note) === 'alive') return { backup, data, state: 'being filled', note: path }
    return hasToRecover(note) ? { backup, data, state: 'not recovered', note: path } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** PostgreSQL removes recovery.signal when recovery is over. A directory that is closed to the caller may still need the backup. */
function hasToRecover({ backup, data }: Note): boolean {
  try {
    statSync(join(data, 'recovery.signal'))
    return readFileSync(join(data, 'postgresql.auto.conf'), 'utf8').includes(backup)
  } catch (error) {
    if (systemCode(error) === 'EACCES') return true
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

function asOwner(uid: number, work: () => void): void {
  const isRoot = process.geteuid?.() === 0
  try {
    if (isRoot) process.seteuid?.(uid)
    work()
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(systemCode(error) ?? '')) throw error
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
