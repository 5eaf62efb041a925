import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { neededBytes } from '../create/check-disk.js'
import type { PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { type Check, failed, ok, skipped } from './check.js'
import { checkBackups, checkReceiver } from './check-backups.js'
import { checkPrograms } from './check-programs.js'
import { checkLock, checkPlace, checkRoot, type ExaminedRoot, roomIn } from './check-root.js'
import { checkSafety } from './check-safety.js'
import { checkSchedule, findSchedule } from './check-schedule.js'
import { checkSecrets } from './check-secrets.js'
import { checkConnection } from './check-server.js'
import { checkWorkingCopy } from './check-working-copy.js'

/** The server that was reached, in a few words. */
export interface DoctorServer {
  host: string
  port: number
  role: string
  system_identifier: string
}

export interface DoctorResult {
  root: string | undefined
  configFile: string | undefined
  server: DoctorServer | undefined
  /** What the next backup takes; undefined when the server could not be asked. */
  neededBytes: number | undefined
  /** What is free for backups, and what those that are there take; undefined where the root cannot be used. */
  roomBytes: number | undefined
  checks: Check[]
}

/** Looks at everything that create, receive and run need, as the user whom they work as. Changes nothing. */
export async function doctor(
  flags: ConnectionFlags,
  settings: Settings,
  context: Context,
): Promise<DoctorResult> {
  const { progress } = context
  progress.step('looking at this machine')
  const own = await findSchedule(settings.root, context)
  const root = checkRoot(settings, context)
  const schedule = own.entry ? own : await findSchedule(settings.root, context)
  const configuration = ok('configuration', settings.configFile ?? 'no file: defaults')
  const { configFile } = settings
  // Root goes on as nobody else: nothing is looked at, or run, as root.
  if (context.user().uid === 0)
    return {
      root: settings.root,
      configFile,
      server: undefined,
      neededBytes: undefined,
      roomBytes: undefined,
      checks: [configuration, ...root.checks],
    }
  const checks = [configuration, ...(await checkPrograms(settings.bin_dir, context)), ...root.checks]
  progress.step('asking the server')
  const { server, checks: ofServer } = await checkConnection(flags, settings, context)
  checks.push(...ofServer, ...checkSecrets(flags))
  if (server) checks.push(...(await checkWithServer(server, root, settings, context)))
  checks.push(...(await checkHere(server, root, settings, context)))
  if (root.catalog) checks.push(...checkSchedule(schedule, root.catalog, context))
  return {
    root: settings.root,
    configFile,
    server: server && summaryOf(server),
    neededBytes: server && neededBytes(server.facts),
    roomBytes: root.catalog && (await roomIn(root.layout, root.catalog)),
    checks,
  }
}

/** Where the configuration has faults nothing else is sure. */
export async function doctorWithout(fault: PgbkError, context: Context): Promise<DoctorResult> {
  const checks = [failed('configuration', fault), ...(await checkPrograms(undefined, context))]
  return {
    root: undefined,
    configFile: undefined,
    server: undefined,
    neededBytes: undefined,
    roomBytes: undefined,
    checks,
  }
}

async function checkWithServer(
  server: ConnectedServer,
  root: ExaminedRoot,
  settings: Settings,
  context: Context,
): Promise<Check[]> {
  return [
    ...(await checkSafety(server, context)),
    ...(await checkPlace(root, settings, server.facts, context)),
  ]
}

async function checkHere(
  server: ConnectedServer | undefined,
  root: ExaminedRoot,
  settings: Settings,
  context: Context,
): Promise<Check[]> {
  const { layout, catalog } = root
  if (!catalog) return [skipped('backups', 'not checked until the root is fixed')]
  context.progress.step('looking at the backups')
  return [
    ...(await checkLock(layout, catalog, context)),
    ...(await checkWorkingCopy(catalog, context)),
    ...(await checkReceiver(layout, server, settings.wal.slot, context)),
    ...checkBackups(layout, catalog.backups, context),
  ]
}

function summaryOf({ facts }: ConnectedServer): DoctorServer {
  const { host, port, role, system_identifier } = facts
  return { host, port, role, system_identifier }
}
