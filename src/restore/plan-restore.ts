import { join } from 'node:path'
import { type ReadableBackup, recordOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import { largestDatabase } from '../catalog/recorded-database.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import { localPath } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { choosePort } from '../postgres/local/port.js'
import { type OpenedBackup, type OpenOptions, type OpenRules, openBackup } from '../recovery/open-backup.js'
import { checkOwner } from '../start-up/check-owner.js'
import { minimumsOfServer } from '../start-up/copy-minimums.js'
import { type RoomNeed, roomNeeds } from './copy/check-room.js'
import { type DirectoryRequest, directoryPlaces, planDirectory } from './directory/plan-directory.js'
import { rehearseConf } from './directory/rehearse-conf.js'
import { checkName, defaultName } from './instance/instance-directory.js'
import type { InstanceRequest } from './instance/restore-instance.js'

export interface RestoreOptions extends OpenOptions {
  /** A place elsewhere that has the backup. */
  from?: string | true
  /** Bring the whole image of it here first. */
  download?: boolean
  name?: string
  port?: number
  /** Default: an instance is started, a given directory is not. */
  start?: boolean
  dryRun?: boolean
  pgdata?: string | undefined
  tablespaceMapping?: string[]
  asProduction?: boolean
  /** The given directory belongs to another user, and is looked at by that one. */
  isOfAnother?: boolean
  /** Directories that are root's now, and empty, and will be the caller's. */
  willBeGiven?: string[]
}

/** What will be done, before anything is written. */
export interface RestorePlan extends Omit<OpenedBackup, 'complete'> {
  start: boolean
  /** What a full copy needs. */
  room: RoomNeed[]
  destination:
    | { kind: 'instance'; request: InstanceRequest }
    | {
        kind: 'directory'
        request: DirectoryRequest
        /** What keeps its server from starting on this machine, or is missed later, in plain words. */
        missing: string[]
      }
}

/** Where the backup is looked for: in the root of the task, where that is not another one than that of the destination. */
export interface BackupSource {
  task: Task
  catalog?: Catalog
}

/** Everything is checked, and nothing written. @throws {PgbkError} as the checks say; `damaged` when that would lose commits unsaid. */
export async function planRestore(
  id: string | undefined,
  options: RestoreOptions,
  task: Task,
  source: BackupSource = { task },
): Promise<RestorePlan> {
  const { context } = task
  // Before a backup is looked at, which may take long.
  const pgdata = options.pgdata && localPath(options.pgdata, context.cwd)
  const { backup, recovery, programs, complete } = await openToRestore(
    id,
    options,
    { ...restoreRules, catalog: source.catalog },
    source.task,
  )
  const destination = await unlessRemoved(backup, context, () =>
    planDestination({ backup, recovery, programs }, { ...options, pgdata }, task),
  ).catch(async (error) => {
    await complete // a file that is missing is told as that
    throw error
  })
  const room = options.isOfAnother ? [] : await roomNeeds(placesOf(backup, destination))
  await complete
  return {
    backup,
    recovery,
    programs,
    room,
    destination,
    start: options.start ?? destination.kind === 'instance',
  }
}

/** Its files may still be compared. @throws {PgbkError} as `openBackup`; `damaged` when a restore would lose commits unsaid. */
export async function openToRestore(
  id: string | undefined,
  options: RestoreOptions,
  rules: OpenRules,
  task: Task,
): Promise<OpenedBackup> {
  const opened = await openBackup(id, options, rules, task)
  if (!opened.recovery.damage || options.toLatest) return opened
  await opened.complete
  throw wouldLose(opened.recovery.damage)
}

export const restoreRules: OpenRules = {
  fallback: { kind: 'latest' },
  zoneNeeded: true,
  mayBeOpened: false,
  mayMakeTablespaces: true,
  comparesMeanwhile: true,
}

/** Without a recovery target, restore loses nothing; to go up to the damage has to be said. */
function wouldLose({ message, cause }: PgbkError): PgbkError {
  return new PgbkError('damaged', message, {
    cause,
    hint: 'Nothing was written. What was committed before it can be restored: with --to-latest up to there, or to a moment before.',
  })
}

function wouldNotStart(missing: string[]): PgbkError {
  return new PgbkError('failed', `the server would not start on this machine: ${missing.join('; ')}`, {
    hint: 'Nothing was written. Fix that, or restore without --start and fix the configuration in the directory.',
  })
}

async function planDestination(
  { backup, recovery, programs }: Omit<OpenedBackup, 'complete'>,
  options: RestoreOptions,
  { settings: { root }, context }: Task,
): Promise<RestorePlan['destination']> {
  const { pgdata, tablespaceMapping: mappings = [], asProduction = false, isOfAnother = false } = options
  const willBeGiven = options.dryRun ? (options.willBeGiven ?? []) : []
  if (pgdata !== undefined) {
    const port = options.port === undefined ? undefined : await choosePort(options.port)
    const minimums = await minimumsOfServer(backup, programs.bin, context)
    const wanted = { root, pgdata, mappings, asProduction, isOfAnother, willBeGiven, minimums, port }
    const request = planDirectory(backup, recovery, wanted, context)
    const missing = await rehearseConf(request, programs, context)
    if (missing.stops.length > 0 && options.start && !options.dryRun) throw wouldNotStart(missing.stops)
    return { kind: 'directory', request, missing: [...missing.stops, ...missing.others] }
  }
  const name = options.name ?? defaultName(root, context.now())
  checkName(root, name, context)
  checkOwner(backup, context)
  const port = await choosePort(options.port)
  const database = largestDatabase(recordOf(backup))
  return { kind: 'instance', request: { backup, root, name, port, database, programs, recovery } }
}

/** The directories that will be filled, with their bytes. */
function placesOf(backup: ReadableBackup, destination: RestorePlan['destination']): Map<string, number> {
  const record = recordOf(backup)
  if (destination.kind === 'instance')
    return new Map([
      [join(rootLayout(destination.request.root).instances, destination.request.name), backup.logicalBytes],
    ])
  return directoryPlaces(record, destination.request)
}
