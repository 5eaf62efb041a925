import { existsSync, mkdirSync } from 'node:fs'
import { rename, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { idOf, nextFreeId } from '../../catalog/id.js'
import { type InstanceLayout, instanceLayout, rootLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError, systemCode } from '../../errors.js'
import { syncPath } from '../../system/files/durable.js'
import { markDirectory, unmarkDirectory } from '../../system/files/marked-directory.js'
import { markOfThisProcess } from '../../system/process/process-mark.js'
import { leftOver } from './instance-remains.js'

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
    throw new PgbkError('usage', `${JSON.stringify(name)} is not a valid name for an instance`, {
      hint: 'It has letters, digits, dots, hyphens and underscores, begins with a letter or digit, and has 63 characters at most.',
    })
  }
  const { instances } = rootLayout(root)
  const layout = instanceLayout(join(instances, name))
  if (leftOver(layout, name, now()) !== 'removable' && existsSync(layout.directory)) {
    throw new PgbkError('usage', `there is an instance ${name} in ${root} already`, {
      hint: `Choose another --name, or remove that one:\n  ${pgbk(`instance delete ${name}`)}`,
    })
  }
}

function partialName(name: string): string {
  return `.${name}.partial`
}

function notWritable(root: string, message: string, cause: unknown): PgbkError {
  return new PgbkError('root-not-writable', message, {
    cause,
    hint: `Instances are kept in ${rootLayout(root).instances}. Choose another root with -C, or restore -D DIR.`,
  })
}

/**
 * Makes the directory of a restore that begins, marked as something to throw away.
 * @throws {PgbkError} `root-not-writable`; `locked` when another restore has begun, or ended, under this name since it was checked.
 */
export async function createInstanceDirectory(root: string, name: string): Promise<InstanceLayout> {
  const { instances } = rootLayout(root)
  const layout = instanceLayout(join(instances, partialName(name)))
  try {
    mkdirSync(instances, { recursive: true })
    mkdirSync(layout.directory)
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') throw taken(`another pgbk is restoring ${name}`)
    throw notWritable(root, `cannot make ${layout.directory}: ${messageOf(cause)}`, cause)
  }
  if (existsSync(join(instances, name))) {
    await rmdir(layout.directory)
    throw taken(`another pgbk has just restored ${name}`)
  }
  await markDirectory(layout.marker, markOfThisProcess())
  const { conf, data, tablespaces, logs, sockets } = layout
  for (const directory of [conf, data, tablespaces, logs, sockets]) mkdirSync(directory, 0o700)
  return layout
}

function taken(message: string): PgbkError {
  return new PgbkError('locked', message, { hint: 'Choose another --name.' })
}

/** Turns a finished directory, whose files are on disk, into an instance: one rename. */
export async function publishInstance(layout: InstanceLayout, name: string): Promise<InstanceLayout> {
  const published = instanceLayout(join(dirname(layout.directory), name))
  await unmarkDirectory(layout.marker)
  await rename(layout.directory, published.directory)
  await syncPath(dirname(published.directory))
  return published
}
