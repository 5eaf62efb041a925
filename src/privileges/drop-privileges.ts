import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { rootLayout } from '../catalog/layout.js'
import { notWritable } from '../catalog/prepare-root.js'
import type { Context } from '../context.js'
import { PgbkError, systemCode } from '../errors.js'
import { ownerOfRoot, refuseLinks } from './owner-of-root.js'
import { stepAt } from './step-at.js'
import { checkWay, isRootsAlone } from './trust.js'

/** Whom root's pgbk works as: the owner of a root directory (`run_as` where all of it is root's), or `run_as`. */
export interface StandIn {
  as: 'owner' | 'run_as'
  root?: string | undefined
  /** What of it is made where only root can: the directories for backups, or that of the instances. */
  makes?: 'backups' | 'instances'
  /** Makes further directories for the user, and returns their paths. */
  make?(): string[]
}

/**
 * Gives up root for good, before anything is done with files that somebody else could swap. An ordinary user stays who they are.
 * What is missing of a root directory, and only root can make, is made for the user first.
 * @throws {PgbkError} `config` when there is no such user, or when somebody else could swap a directory on the way;
 * `root-not-writable` when the directory is closed to the user.
 */
export function dropPrivileges(standIn: StandIn, runAs: string, context: Context): void {
  if (context.user().uid !== 0) return
  const { root } = standIn
  if (root === undefined) {
    become(runAs, '/', () => [], context)
    return
  }
  const owner = standIn.as === 'owner' ? ownerOfRoot(root)?.uid : undefined
  const user = owner ?? runAs
  checkWay(root, context.idsOf(user))
  const make = () => [...makeFirstMissing(placesOf(root, standIn.makes)), ...(standIn.make?.() ?? [])]
  become(user, stepAt(root) ? root : dirname(root), make, context)
  refuseLinks(root)
}

/** Gives up root for a user that root has chosen before. @throws {PgbkError} as `dropPrivileges`. */
export function dropPrivilegesTo(uid: number, context: Context): void {
  if (context.user().uid === 0) become(uid, '/', () => [], context)
}

/** Whether that would make something of the root directory, so that it need not be writable for the user yet. */
export function wouldMakeAsRoot(root: string, context: Context): boolean {
  return context.user().uid === 0 && firstMissing(placesOf(root, 'backups')) !== undefined
}

function placesOf(root: string, makes: StandIn['makes']): string[] {
  const { data, backups, instances } = rootLayout(root)
  return makes === 'backups' ? [root, data, backups] : makes === 'instances' ? [data, instances] : []
}

function become(user: string | number, inside: string, make: () => string[], context: Context): void {
  const { uid } = context.idsOf(user)
  if (uid === 0)
    throw new PgbkError('config', 'pgbk does not work as root: run_as names root itself', {
      hint: 'PostgreSQL refuses to run as root. Set run_as (or PGBK_RUN_AS) to the user whom the backups should belong to.',
    })
  try {
    context.become(user, { inside, make })
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw notWritable(`user ${user} cannot enter ${inside}`, inside, cause)
  }
}

/** One is enough: the user makes the others in it. */
function makeFirstMissing(places: string[]): string[] {
  const path = firstMissing(places)
  if (path === undefined) return []
  try {
    mkdirSync(path, 0o700)
    return [path]
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return []
    throw notWritable(`cannot make ${path}`, path, cause)
  }
}

/** What only root can make; below the first directory that is not root's alone nothing is looked at. */
function firstMissing(places: string[]): string | undefined {
  for (const path of places) {
    if (!isRootsAlone(dirname(path))) return undefined
    if (!stepAt(path)) return path
  }
  return undefined
}
