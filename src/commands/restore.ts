import { join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { rootLayout } from '../backup/layout.js'
import { ownerOf } from '../backup/owner.js'
import { largestDatabase } from '../backup/record.js'
import { noteRestore } from '../backup/restore-note.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkRoom, type RoomNeed, roomNeeds } from '../instances/check-room.js'
import { findInstance, type Instance } from '../instances/instance.js'
import { checkName, defaultName, enterInstances, sweepInstances } from '../instances/instance-directory.js'
import { type DirectoryRequest, planDirectory } from '../instances/plan-directory.js'
import { restoreDirectory } from '../instances/restore-directory.js'
import { type InstanceRequest, restoreInstance } from '../instances/restore-instance.js'
import { startDirectory } from '../instances/start-directory.js'
import { startInstance } from '../instances/start-instance.js'
import type { Reached } from '../postgres/await-recovery.js'
import type { ServerPrograms } from '../postgres/find-server.js'
import { choosePort } from '../postgres/port.js'
import type { RecoveryPlan } from '../postgres/recovery-plan.js'
import { type OpenedBackup, type OpenOptions, type OpenRules, openBackup } from './open-backup.js'

export interface RestoreOptions extends OpenOptions {
  name?: string
  port?: number
  /** Default: an instance is started, a given directory is not. */
  start?: boolean
  dryRun?: boolean
  pgdata?: string
  tablespaceMapping?: string[]
  asProduction?: boolean
}

/** What will be done, before anything is written. */
export interface RestorePlan extends OpenedBackup {
  start: boolean
  /** What a full copy needs. */
  room: RoomNeed[]
  target: { kind: 'instance'; request: InstanceRequest } | { kind: 'directory'; request: DirectoryRequest }
}

export interface RestoreResult {
  plan: RestorePlan
  dryRun: boolean
  /** The instance that was made. */
  instance?: Instance
  /** Where a server answers, if one was started. */
  port?: number
  /** What the recovery of an instance has reached. */
  reached?: Reached | undefined
  /** What was changed in the configuration of a given directory, or is missing in it. */
  notes: string[]
}

/**
 * Makes a lasting server of a backup: an instance, or a given data directory.
 * @param announce is told the plan before anything is written.
 */
export async function restore(
  id: string | undefined,
  options: RestoreOptions,
  settings: Settings,
  context: Context,
  announce: (plan: RestorePlan) => void,
): Promise<RestoreResult> {
  const plan = await makePlan(id, options, settings, context)
  if (options.dryRun) return { plan, dryRun: true, notes: [] }
  announce(plan)
  await checkRoom(plan.backup, plan.room)
  context.signal.throwIfAborted()
  const { target, programs } = plan
  if (target.kind === 'directory') {
    const notes = await fillDirectory(target.request, settings, context)
    if (!plan.start) return { plan, dryRun: false, notes }
    const port = await startDirectory(target.request, programs.postgres, context)
    return { plan, dryRun: false, notes, port }
  }
  const owner = enterInstances(settings.root, target.request.owner, context)
  await sweepInstances(settings.root, context)
  const instance = await fillInstance({ ...target.request, owner }, context)
  if (!plan.start) return { plan, dryRun: false, notes: [], instance }
  const reached = await firstStart(instance, plan, context)
  return {
    plan,
    dryRun: false,
    notes: [],
    instance: findInstance(settings.root, instance.name),
    port: instance.port,
    reached,
  }
}

/** Nobody may remove the backup until the directory has all that it needs of it, which may be only after its first start. */
async function fillDirectory(
  request: DirectoryRequest,
  { root }: Settings,
  context: Context,
): Promise<string[]> {
  const { backup, data, recovery, archive } = request
  const takeBack = noteRestore(rootLayout(root), backup.id, data)
  let isNeeded = false
  try {
    const notes = await restoreDirectory(request, context)
    isNeeded = recovery.recovery !== undefined && archive === backup.layout.wal
    return notes
  } finally {
    if (!isNeeded) takeBack()
  }
}

/** A finished instance tells by itself what it needs. */
async function fillInstance(request: InstanceRequest, context: Context): Promise<Instance> {
  const { backup, root, name } = request
  const layout = rootLayout(root)
  const takeBack = noteRestore(layout, backup.id, join(layout.instances, name))
  try {
    return await restoreInstance(request, context)
  } finally {
    takeBack()
  }
}

async function firstStart(
  instance: Instance,
  { programs, recovery }: RestorePlan,
  context: Context,
): Promise<Reached | undefined> {
  const { name } = instance
  context.progress.step(`starting ${name}`)
  try {
    return await startInstance(instance, programs.postgres, recovery, context)
  } catch (error) {
    context.progress.say(
      `${name} is restored, and stays: pgbk instance start ${name} tries again, pgbk instance delete ${name} removes it.`,
    )
    throw error
  }
}

async function makePlan(
  id: string | undefined,
  options: RestoreOptions,
  settings: Settings,
  context: Context,
): Promise<RestorePlan> {
  const { backup, recovery, programs } = await openBackup(id, options, rules, settings, context)
  if (recovery.damage && !options.toLatest) throw wouldLose(recovery.damage)
  const target = await planTarget(backup, recovery, programs, options, settings, context)
  const room = await roomNeeds(placesOf(backup, target))
  return { backup, recovery, programs, room, target, start: options.start ?? target.kind === 'instance' }
}

const rules: OpenRules = {
  fallback: { kind: 'latest' },
  zoneNeeded: true,
  mayBeUsed: false,
  mayMakeTablespaces: true,
}

/** Without a moment, restore loses nothing; to go up to the damage has to be said. */
function wouldLose({ message, cause }: PgbkError): PgbkError {
  return new PgbkError('damaged', message, {
    cause,
    hint: 'Nothing was written. What was committed before it can be restored: with --to-latest up to there, or to a moment before.',
  })
}

async function planTarget(
  backup: Backup,
  recovery: RecoveryPlan,
  programs: ServerPrograms,
  options: RestoreOptions,
  settings: Settings,
  context: Context,
): Promise<RestorePlan['target']> {
  const { root, run_as: runAs } = settings
  const { pgdata, tablespaceMapping: mappings = [], asProduction = false } = options
  if (pgdata !== undefined) {
    const port = options.port === undefined ? undefined : await choosePort(options.port)
    const wanted = { root, pgdata, mappings, asProduction, runAs, port }
    const request = planDirectory(backup, recovery, wanted, context)
    return { kind: 'directory', request }
  }
  const name = options.name ?? defaultName(root, context.now())
  checkName(root, name, context.now())
  const owner = ownerOf(backup, context)
  const port = await choosePort(options.port)
  const database = largestDatabase(backup.record)
  return { kind: 'instance', request: { backup, root, name, port, database, owner, programs, recovery } }
}

/** The directories that will be filled, with their bytes. */
function placesOf({ record }: Backup, target: RestorePlan['target']): Map<string, number> {
  if (target.kind === 'instance')
    return new Map([
      [join(rootLayout(target.request.root).instances, target.request.name), record.size_bytes],
    ])
  const { data, tablespaces } = target.request
  const outside = new Map(
    tablespaces.map(({ oid, target: path }) => [
      path,
      record.tablespaces.find((one) => one.oid === oid)?.size_bytes ?? 0,
    ]),
  )
  const rest = record.size_bytes - [...outside.values()].reduce((sum, bytes) => sum + bytes, 0)
  return new Map([...outside, [data, rest]])
}
