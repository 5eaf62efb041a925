import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncPath, writeDurably } from '../backup/durable.js'
import { idOf, nextFreeId } from '../backup/id.js'
import { type InstanceLayout, instanceLayout, rootLayout } from '../backup/layout.js'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { namesIn } from '../names-in.js'
import { lifeOf, markOfThisProcess, type ProcessMark } from '../processes.js'
import { shellWord } from '../shell-word.js'

/** The name of an instance that is restored now; another one of the same second gets the next free second. */
export function defaultName(root: string, now: Date): string {
  const { instances } = rootLayout(root)
  const name = (id: string) => `postgres-restore-${id}`
  const isTaken = (id: string) =>
    [name(id), partialName(name(id))].some((one) => existsSync(join(instances, one)))
  return name(isTaken(idOf(now)) ? nextFreeId(now, isTaken) : idOf(now))
}

/** @throws {PgbkError} `usage` for a name that can be none, or is taken. */
export function checkName(root: string, name: string, { now, pgbk }: Context): void {
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(name)) {
    throw new PgbkError('usage', `${JSON.stringify(name)} is no name for an instance`, {
      hint: 'It has letters, digits, dots, hyphens and underscores, begins with a letter or digit, and has 63 characters at most.',
    })
  }
  const { instances } = rootLayout(root)
  const layout = instanceLayout(join(instances, name))
  if (existsSync(layout.directory) && leftOver(layout, name, now()) !== 'removable') {
    throw new PgbkError('usage', `there is an instance ${name} in ${root} already`, {
      hint: `Choose another --name, or remove that one:\n  ${pgbk(`instance delete ${name}`)}`,
    })
  }
}

function partialName(name: string): string {
  return `.${name}.partial`
}

/**
 * Root works on as the user whom the instance belongs to, who may have put links where it would write.
 * @returns whom new files are to belong to.
 * @throws {PgbkError} `root-not-writable`.
 */
export function enterInstances(root: string, owner: Owner, context: Context): Owner {
  const { instances, data } = rootLayout(root)
  if (context.user().uid !== 0) return owner
  const make = () => {
    if (existsSync(instances)) return []
    mkdirSync(instances)
    return [instances]
  }
  try {
    context.become(owner.uid, { inside: data, make })
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw notWritable(root, `user ${owner.uid} cannot work in ${data}: ${messageOf(cause)}`, cause)
  }
  return { uid: owner.uid, gid: context.user().gid }
}

function notWritable(root: string, message: string, cause: unknown): PgbkError {
  return new PgbkError('root-not-writable', message, {
    cause,
    hint: `Instances are kept in ${rootLayout(root).instances}. Choose another root with -C, or restore -D DIR.`,
  })
}

/**
 * Makes the directory of a restore that begins, marked as something to throw away.
 * @throws {PgbkError} `root-not-writable`; `locked`.
 */
export async function startInstance(root: string, name: string): Promise<InstanceLayout> {
  const { instances } = rootLayout(root)
  const layout = instanceLayout(join(instances, partialName(name)))
  try {
    if (!existsSync(instances)) mkdirSync(instances)
    mkdirSync(layout.directory)
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST')
      throw new PgbkError('locked', `another pgbk is restoring ${name}`, { hint: 'Choose another --name.' })
    throw notWritable(root, `cannot make ${layout.directory}: ${messageOf(cause)}`, cause)
  }
  await writeDurably(layout.marker, `${JSON.stringify(markOfThisProcess())}\n`)
  for (const directory of [layout.conf, layout.data, layout.tablespaces, layout.logs]) mkdirSync(directory)
  return layout
}

/** Turns a finished directory, whose files are on disk, into an instance: one rename. */
export async function publishInstance(layout: InstanceLayout, name: string): Promise<InstanceLayout> {
  const published = instanceLayout(join(dirname(layout.directory), name))
  await rm(layout.marker)
  await syncPath(layout.directory)
  await rename(layout.directory, published.directory)
  await syncPath(dirname(published.directory))
  return published
}

/** Removes an instance, or what is left of one. Its record becomes the marker first: from then on it is none. */
export async function removeInstance(layout: InstanceLayout): Promise<void> {
  if (existsSync(layout.record)) await rename(layout.record, layout.marker)
  await syncPath(layout.directory)
  for (const name of readdirSync(layout.directory)) {
    const path = join(layout.directory, name)
    if (path !== layout.marker) await rm(path, { recursive: true, force: true })
  }
  await rm(layout.marker, { force: true })
  await rmdir(layout.directory)
  await syncPath(dirname(layout.directory))
}

/**
 * Removes what restores and deletes have left that did not end by themselves; nothing without a marker is touched. What may go on
 * on another machine, or was left before this one was started anew, is named.
 */
export async function sweepInstances(root: string, context: Context): Promise<void> {
  const { progress, now, user, become } = context
  const { instances } = rootLayout(root)
  if (user().uid === 0 && existsSync(instances)) become(statSync(instances).uid)
  for (const name of namesIn(instances)) {
    const layout = instanceLayout(join(instances, name))
    const left = leftOver(layout, name, now())
    if (left === 'removable') {
      await removeInstance(layout)
      progress.say(`removed ${layout.directory}, the remains of a restore or delete that did not end`)
    } else if (left === 'elsewhere')
      progress.warn(
        `${layout.directory} was left by a restore on another machine, or before this one was started anew; if none goes on:  rm -r ${shellWord(layout.directory)}`,
      )
  }
}

const forgotten = 60_000

function leftOver(layout: InstanceLayout, name: string, now: Date): 'removable' | 'elsewhere' | undefined {
  if (existsSync(layout.record) && !name.startsWith('.')) return undefined
  const marker = statSync(layout.marker, { throwIfNoEntry: false })
  if (!marker) {
    // Killed before the marker was written, or after it had gone.
    const isOld = now.getTime() - statSync(layout.directory).mtimeMs > forgotten
    const isOurs = existsSync(layout.record) || namesIn(layout.directory).length === 0
    return isOld && isOurs ? 'removable' : undefined
  }
  const mark = readMark(layout.marker)
  // A restore that has just begun has written no text yet.
  if (mark === undefined) return now.getTime() - marker.mtimeMs > forgotten ? 'removable' : undefined
  const life = lifeOf({ ...nobody, ...mark })
  return life === 'gone' ? 'removable' : life === 'elsewhere' ? 'elsewhere' : undefined
}

const nobody: ProcessMark = { pgbk_pid: 0, pgbk_start_time: null, pid_space: null }

/** Of a delete, the marker is the record that was. Undefined when there is no text. */
function readMark(marker: string): Partial<ProcessMark> | undefined {
  try {
    return JSON.parse(readFileSync(marker, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
