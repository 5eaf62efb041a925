import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { wordsOf } from './process-list.js'
import type { TestServer } from './server.js'

/** What a create that was ended could leave behind, here and on the server. */
export interface Traces {
  partials: string[]
  processes: number[]
  walSenders: string[]
  slots: string[]
}

export const noTraces: Traces = { partials: [], processes: [], walSenders: [], slots: [] }

/** What creates have left behind; connections named `decoy` are somebody else's. */
export async function tracesOf(root: string, server: TestServer): Promise<Traces> {
  return {
    partials: entriesOf(root).filter((name) => name.endsWith('.partial')),
    processes: backupProcessesIn(root),
    walSenders: await rowsOf(
      server,
      `select application_name from pg_stat_activity where backend_type = 'walsender' and ${notADecoy}`,
    ),
    slots: await rowsOf(
      server,
      `select slot_name from pg_replication_slots left join pg_stat_activity on active_pid = pid where ${notADecoy}`,
    ),
  }
}

const notADecoy = "application_name is distinct from 'decoy'"

async function rowsOf(server: TestServer, statement: string): Promise<string[]> {
  return (await server.sql(statement)).split('\n').filter(Boolean)
}

/** The names in a root's data/backup; none where it is not there. */
export function entriesOf(root: string): string[] {
  try {
    return readdirSync(join(root, 'data', 'backup')).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The directories of a root that look like backups. */
export function idsIn(root: string): string[] {
  return entriesOf(root).filter((name) => /^\d{8}T\d{6}Z$/.test(name))
}

/** The pids of the pg_basebackup and mksquashfs processes that write below a directory. */
export function backupProcessesIn(directory: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const writes = (command: string) =>
    command.includes(`--pgdata=${directory}/`) || command.startsWith(`mksquashfs\0-\0${directory}/`)
  return pids.filter((pid) => writes(wordsOf(pid).join('\0'))).map(Number)
}

/**
 * How many backups a create has made that ended with this status, of which so many are seen: a signal that ends node itself may come
 * when the backup has just been published.
 */
export function madeBy(status: number | undefined, seen: number): number {
  if (status === undefined) return Math.min(seen, 1)
  return status === 0 ? 1 : 0
}

/** Waits until something is so; a test that waits for too long fails with its name. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isSo()); attempt++) {
    if (attempt === 2400) throw new Error(`waited in vain until ${what}`)
    await sleep(50)
  }
}
