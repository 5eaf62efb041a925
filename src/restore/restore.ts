import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { recordOf } from '../catalog/backup.js'
import { rootLayout } from '../catalog/layout.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import { noteRestore } from '../catalog/restore-note.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { RecoveryResult } from '../recovery/await-recovery.js'
import { readAgain } from '../recovery/read-again.js'
import { furtherBackups } from '../recovery/recovery-plan.js'
import { namingLibrary } from '../start-up/library-needed.js'
import { checkRoomForCopy } from './copy/check-room.js'
import { type DirectoryRequest, topsOf } from './directory/plan-directory.js'
import { restoreDirectory } from './directory/restore-directory.js'
import { finishDirectory, type RestoreResult } from './finish-directory.js'
import { findInstance, type Instance } from './instance/instance.js'
import { defaultName } from './instance/instance-directory.js'
import { sweepInstances } from './instance/instance-remains.js'
import { type InstanceRequest, restoreInstance } from './instance/restore-instance.js'
import { startInstanceServer } from './instance/start-instance-server.js'
import {
  type BackupSource,
  openToRestore,
  planRestore,
  type RestoreOptions,
  type RestorePlan,
  restoreRules,
} from './plan-restore.js'

/**
 * Makes a lasting server of a backup: an instance, or a given data directory.
 * @param announce is told the plan before anything is written.
 */
export async function restore(
  id: string | undefined,
  options: RestoreOptions,
  task: Task,
  announce: (plan: RestorePlan) => void,
): Promise<RestoreResult> {
  if (options.from === undefined) return restoreFrom({ task }, id, options, task, announce)
  const { borrow } = await import('../borrowing/borrow.js')
  checkRootForInstance(options, task)
  const borrowed = await borrow(id, { ...options, lasts: true }, restoreRules, task)
  try {
    return await restoreFrom(borrowed, borrowed.id, options, task, announce)
  } catch (error) {
    throw borrowed.explained(error)
  } finally {
    borrowed.sayFetched()
  }
}

async function restoreFrom(
  source: BackupSource,
  id: string | undefined,
  options: RestoreOptions,
  task: Task,
  announce: (plan: RestorePlan) => void,
): Promise<RestoreResult> {
  const plan = await planRestore(id, options, task, source)
  if (options.dryRun) return { plan, dryRun: true, notes: [] }
  announce(plan)
  const { catalog } = source
  const open = () => openToRestore(id, options, { ...restoreRules, catalog, readsAll: true }, source.task)
  try {
    return await carryOut(plan, options, task)
  } catch (error) {
    throw (await readAgain(error, plan, source.task.settings.root, open)).recovery.damage ?? error
  }
}

/** @throws {PgbkError} `usage` where an instance would be made in a directory that is no root. */
function checkRootForInstance({ pgdata }: RestoreOptions, { settings: { root } }: Task): void {
  if (pgdata !== undefined || existsSync(rootLayout(root).data)) return
  throw new PgbkError('usage', `${root} is no root, where an instance could be made`, {
    hint: 'Name the data directory that is to be filled with -D, or a root with -C.',
  })
}

async function carryOut(
  plan: RestorePlan,
  options: RestoreOptions,
  { settings: { root }, context }: Task,
): Promise<RestoreResult> {
  await checkRoomForCopy(plan.backup, plan.room)
  context.signal.throwIfAborted()
  const { destination } = plan
  if (destination.kind === 'directory') {
    const notes = await fillDirectory(destination.request, plan.backup.borrowed?.root ?? root, context)
    return finishDirectory(plan, destination.request, notes, context)
  }
  await sweepInstances(root, context)
  const fill = options.name === undefined ? fillNextInstance : fillInstance
  const instance = await fill(destination.request, context)
  if (!plan.start) return { plan, dryRun: false, notes: [], instance }
  const recoveryResult = await firstStart(instance, plan, context)
  return {
    plan,
    dryRun: false,
    notes: [],
    instance: findInstance(root, instance.name),
    port: instance.port,
    recoveryResult,
  }
}

/** Nobody may remove the backup until the directory has all that it needs of it, which may be only after its first start. */
async function fillDirectory(request: DirectoryRequest, root: string, context: Context): Promise<string[]> {
  const { backup, data, tablespaces, recovery, archive } = request
  const takeBack = await noteRestore(rootLayout(root), backup.id, data, furtherBackups(recovery))
  let isNeeded = false
  try {
    const tops = topsOf(data, tablespaces)
    const { notes } = await unlessRemoved(backup, context, () =>
      restoreDirectory(tops, async () => request, context),
    )
    isNeeded = recovery.recovery !== undefined && archive === undefined
    return notes
  } finally {
    if (!isNeeded) await takeBack()
  }
}

/** Where another restore has got the name since it was chosen, another one does as well. */
async function fillNextInstance(
  request: InstanceRequest,
  context: Context,
  attempts = 10,
): Promise<Instance> {
  try {
    return await fillInstance(request, context)
  } catch (error) {
    if (!(error instanceof PgbkError && error.code === 'locked') || attempts === 1) throw error
    const name = defaultName(request.root, context.now())
    context.progress.say(`${error.message}; this instance gets the name ${name}`)
    return fillNextInstance({ ...request, name }, context, attempts - 1)
  }
}

/** A finished instance tells by itself what it needs. */
async function fillInstance(request: InstanceRequest, context: Context): Promise<Instance> {
  const { backup, root, name, recovery } = request
  const layout = rootLayout(root)
  const takeBack = await noteRestore(
    layout,
    backup.id,
    join(layout.instances, name),
    furtherBackups(recovery),
  )
  try {
    return await unlessRemoved(backup, context, () => restoreInstance(request, context))
  } finally {
    await takeBack()
  }
}

async function firstStart(
  instance: Instance,
  { backup, programs, recovery }: RestorePlan,
  context: Context,
): Promise<RecoveryResult | undefined> {
  const { name } = instance
  context.progress.step(`starting ${name}`)
  try {
    return await startInstanceServer(instance, programs.postgres, recovery, context)
  } catch (error) {
    context.progress.say(
      `${name} is restored, and is kept. Try again, or remove it:\n  ${context.pgbk(`instance start ${name}`)}\n  ${context.pgbk(`instance delete ${name}`)}`,
    )
    throw namingLibrary(error, recordOf(backup))
  }
}
