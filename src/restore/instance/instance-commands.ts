import type { Task } from '../../config/load.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { stopServer } from '../../postgres/local/instance-server.js'
import { isFree } from '../../postgres/local/port.js'
import { allInstallations, findServer } from '../../postgres/programs/find-server.js'
import { readFetchNote } from '../../remote-image/fetch-note.js'
import { endRun } from '../../run/directory/end-run.js'
import { findRuns, isRunning, type RunDirectory } from '../../run/directory/run-directory.js'
import { writtenBytes } from '../../run/directory/written-bytes.js'
import { findInstance, type Instance, type NotAnInstance, readInstances } from './instance.js'
import { changePort } from './instance-conf.js'
import { removeInstance, sweepInstances } from './instance-remains.js'
import { startInstanceServer } from './start-instance-server.js'

export interface InstanceList {
  root: string
  instances: Instance[]
  rejected: NotAnInstance[]
  runs: ListedRun[]
}

export interface ListedRun extends RunDirectory {
  /** See `writtenBytes`. */
  written: number | undefined
  /** Of a backup that is elsewhere, what was fetched so far. */
  fetched: number | undefined
}

/** All instances, and the runs that go on now; their states are found out from the system, not from what they once said. */
export async function listInstances(task: Task): Promise<InstanceList> {
  const { runs, ...others } = whatThereIs(task)
  const listed: ListedRun[] = []
  for (const run of runs) listed.push(await measured(run))
  return { ...others, runs: listed }
}

async function measured(run: RunDirectory): Promise<ListedRun> {
  const { from } = run.marker
  return { ...run, written: await writtenBytes(run), fetched: from && readFetchNote(from.note)?.bytes }
}

function whatThereIs({ settings: { root }, context }: Task) {
  return { root, ...readInstances(root), runs: findRuns(root, context).filter(isRunning) }
}

export interface StartOptions {
  port?: number
}

/** Starts an instance and waits until it takes what comes. @throws {PgbkError} `not-found`, or why it does not start. */
export async function startInstance(
  name: string,
  { port }: StartOptions,
  { settings: { root, bin_dir }, context }: Task,
): Promise<Instance> {
  const instance = findInstance(root, name)
  const installations = await allInstallations(bin_dir, context)
  const programs = await findServer(instance.record.major, installations, false, context)
  checkOwner(instance, context)
  const wanted = port ?? instance.port
  const isAvailable = await isFree(wanted)
  // Last of all, because another pgbk may have started it meanwhile.
  const found = findInstance(root, name)
  if (found.pid !== undefined) return runningAlready(found, port, context)
  if (!isAvailable) throw portTaken(wanted, name, context)
  if (wanted !== found.port) await changePort(found.layout, wanted)
  context.progress.step(`starting ${name}`)
  await startInstanceServer({ ...found, port: wanted }, programs.postgres, undefined, context)
  return findInstance(root, name)
}

function runningAlready(instance: Instance, wanted: number | undefined, context: Context): Instance {
  const { name, port } = instance
  if (wanted !== undefined && wanted !== port)
    throw new PgbkError('usage', `${name} is running already, on port ${port}`, {
      hint: `To change its port, stop it first:\n  ${context.pgbk(`instance stop ${name}`)}`,
    })
  context.progress.say(`${name} is running already.`)
  return instance
}

function portTaken(port: number, name: string, { pgbk }: Context): PgbkError {
  return new PgbkError('failed', `port ${port} is in use`, {
    hint: `Stop what uses it, or choose another one:\n  ${pgbk(`instance start ${name} --port PORT`)}`,
  })
}

/** What was stopped: an instance, which stays, or a run, which goes with its working copy. */
export type StopResult =
  | { instance: Instance; wasRunning: boolean; run?: never }
  | { run: ListedRun; instance?: never; wasRunning?: never }

/** Stops an instance, or ends a run and removes its working copy. @throws {PgbkError} `not-found`. */
export async function stopInstance(name: string, task: Task): Promise<StopResult> {
  const { context } = task
  const { instances, runs, root } = whatThereIs(task)
  const run = runs.find((one) => one.name === name)
  const instance = instances.find((one) => one.name === name)
  if (run) {
    context.progress.step(`stopping ${name}`)
    const stopped = await measured(run)
    await endRun(run, context)
    return { run: stopped }
  }
  if (!instance) throw unknown(name, root, [...instances, ...runs])
  checkOwner(instance, context)
  const wasRunning = instance.pid !== undefined
  if (wasRunning) {
    context.progress.step(`stopping ${name}`)
    await stopServer(instance.layout.data, context.signal)
  }
  return { instance: findInstance(root, name), wasRunning }
}

export interface DeleteInstanceOptions {
  yes?: boolean
}

/** Removes an instance for good, after asking. @throws {PgbkError} `failed` while it is running, `not-found`. */
export async function deleteInstance(
  name: string,
  { yes = false }: DeleteInstanceOptions,
  task: Task,
): Promise<Instance> {
  const { context } = task
  const { layout } = await findStopped(name, task)
  if (!yes && !context.ask)
    throw new PgbkError('usage', 'without a terminal, instance delete needs --yes', {
      hint: `It would remove ${layout.directory} with all its data.`,
    })
  if (!yes && !(await context.ask?.(`Delete the instance ${name} with all its data for good?`)))
    throw new PgbkError('failed', 'nothing was deleted')
  // Before the answer it may have been started.
  const instance = await findStopped(name, task)
  context.progress.step(`deleting ${name}`)
  await removeInstance(instance.layout)
  return instance
}

/** What may be deleted now. @throws {PgbkError} as `deleteInstance`; `usage` for a run. */
async function findStopped(name: string, task: Task): Promise<Instance> {
  const { context } = task
  const { instances, runs, root } = whatThereIs(task)
  if (runs.some((run) => run.name === name)) {
    throw new PgbkError('usage', `${name} is a run`, {
      hint: `It is removed when it ends:\n  ${context.pgbk(`instance stop ${name}`)}`,
    })
  }
  const instance = instances.find((one) => one.name === name)
  if (!instance) {
    await sweepInstances(root, context)
    throw unknown(name, root, instances)
  }
  checkOwner(instance, context)
  if (instance.pid !== undefined)
    throw new PgbkError('failed', `${name} is running (process ${instance.pid})`, {
      hint: `Stop it first:\n  ${context.pgbk(`instance stop ${name}`)}`,
    })
  return instance
}

/** @throws {PgbkError} `failed` for one that belongs to another user; root has become the owner of the root directory. */
function checkOwner({ name, uid }: Instance, { user }: Context): void {
  if (uid === user().uid) return
  throw new PgbkError('failed', `${name} belongs to another user (uid ${uid})`, {
    hint: 'Run pgbk as that user, or as root.',
  })
}

function unknown(name: string, root: string, known: { name: string }[]): PgbkError {
  const names = known.map((one) => `  ${one.name}`).join('\n')
  return new PgbkError('not-found', `there is no instance or run ${JSON.stringify(name)} in ${root}`, {
    hint: names
      ? `There are:\n${names}`
      : 'There is none. pgbk restore makes an instance, pgbk local-run a run.',
  })
}
