import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import type { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { type Check, failed, ok, skipped } from './check.js'
import { checkBackups, checkReceiver } from './check-backups.js'
import { checkPacking } from './check-packing.js'
import { checkPrograms } from './check-programs.js'
import { checkLock, checkPlace, checkRoot, roomIn } from './check-root.js'
import { checkSafety } from './check-safety.js'
import { checkSchedule, findSchedule } from './check-schedule.js'
import { checkConnection, checkSecrets } from './check-server.js'
import { checkSharing } from './check-sharing.js'
import { checkStore } from './check-store.js'
import { checkWalCompression } from './check-wal-compression.js'
import { checkWorkingCopy } from './check-working-copy.js'

/** The server that was reached, in a few words. */
interface DoctorServer {
  host: string
  port: number
  role: string
  system_identifier: string
}

export interface DoctorResult {
  /** Where nothing but a store was looked at. */
  store?: string | undefined
  /** What could not be looked at is undefined. */
  root?: string | undefined
  configFile?: string | undefined
  server?: DoctorServer | undefined
  /** What the next backup takes. */
  neededBytes?: number | undefined
  /** What is free for backups, and what those that are there take. */
  roomBytes?: number | undefined
  checks: Check[]
}

/**
 * Looks at everything that create, receive and run need, as the user whom they work as. Changes nothing, but for what it writes to stores
 * and removes again.
 */
export async function doctor(flags: ConnectionFlags, task: Task): Promise<DoctorResult> {
  const { settings, context } = task
  const { progress } = context
  progress.step('looking at this machine')
  const own = await findSchedule(settings.root, context)
  const root = checkRoot(task)
  const schedule = own.entry ? own : await findSchedule(settings.root, context)
  const { configFile } = settings
  const checks = [ok('configuration', configFile ?? 'no file: defaults')]
  const place = { root: settings.root, configFile }
  // Root goes on as nobody else: nothing is looked at, or run, as root.
  if (context.user().uid === 0) return { ...place, checks: [...checks, ...root.checks] }
  checks.push(...(await checkPrograms(settings.bin_dir, context)), ...root.checks)

  progress.step('asking the server')
  const { server, checks: ofServer } = await checkConnection(flags, settings, context)
  checks.push(...ofServer, ...checkSecrets(flags))
  if (server) checks.push(...(await checkSafety(server, context)))
  const forServer = server && (await checkPlace(root, server.facts, task))
  checks.push(...(forServer?.checks ?? []))

  const { layout, catalog } = root
  if (catalog) {
    progress.step('looking at the backups')
    checks.push(...(await checkLock(layout, catalog, context)))
    checks.push(...(await checkWorkingCopy(catalog, context)))
    checks.push(...(await checkPacking(catalog, task)))
    checks.push(...checkWalCompression(catalog, task))
    checks.push(...(await checkReceiver(layout, server, settings.wal.slot, context)))
    checks.push(...checkBackups(layout, catalog.backups, context), ...(await checkSharing(catalog, task)))
    checks.push(...checkSchedule(schedule, catalog, context))
  } else checks.push(skipped('backups', 'not checked until the root is fixed'))
  checks.push(...(await checkStores(task)))
  return {
    ...place,
    server: server && summaryOf(server),
    neededBytes: forServer?.neededBytes,
    roomBytes: catalog && (await roomIn(layout, catalog)),
    checks,
  }
}

/** Looks at a store alone: it is really written to, and what was written is removed. */
export async function doctorOfStore(store: string, task: Task): Promise<DoctorResult> {
  task.context.progress.step(`trying ${store}`)
  return { store, checks: await checkStore(store, task) }
}

/** What is wrong with them keeps no backup from being made. */
async function checkStores(task: Task): Promise<Check[]> {
  const checks: Check[] = []
  for (const name of Object.keys(task.settings.stores)) {
    task.context.progress.step(`trying ${name}`)
    checks.push(...(await checkStore(name, task)))
  }
  return checks.map((check) => (check.status === 'failed' ? { ...check, status: 'warning' } : check))
}

/** Where the configuration has faults nothing else is sure. */
export async function doctorWithout(fault: PgbkError, context: Context): Promise<DoctorResult> {
  return { checks: [failed('configuration', fault), ...(await checkPrograms(undefined, context))] }
}

function summaryOf({ facts }: ConnectedServer): DoctorServer {
  const { host, port, role, system_identifier } = facts
  return { host, port, role, system_identifier }
}
