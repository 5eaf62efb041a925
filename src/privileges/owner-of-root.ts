import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { backupLayout, instanceLayout, rootLayout } from '../catalog/layout.js'
import { PgbkError, systemCode } from '../errors.js'
import { realPath } from '../system/paths/real-path.js'
import { type Step, stepAt } from './step-at.js'
import { checkItself } from './trust.js'

export interface Ids {
  uid: number
  gid: number
}

/**
 * The user whom a root directory belongs to: the owner of the first of its directories that is not root's own, each looked at only
 * when nobody but root can change the one above it. Undefined where all that is there is root's.
 * @throws {PgbkError} `config` for a link in the place of a directory in `data/`: whoever made it would choose.
 */
export function ownerOfRoot(root: string): Ids | undefined {
  const real = realPath(root)
  const { data, backups, instances } = rootLayout(real)
  for (const path of [real, data]) {
    const step = stepAt(path)
    if (step?.kind === 'link') throw isLink(path)
    if (step?.uid !== 0) return step
    checkItself(path, root)
  }
  const layoutsOf = { [backups]: wayIntoBackup, [instances]: wayIntoInstance }
  const owners = Object.entries(layoutsOf).flatMap(([directory, wayInto]) => ownersIn(directory, wayInto))
  const [only] = owners
  return owners.every(({ uid }) => uid === only?.uid) ? only : undefined
}

/**
 * Where a link stands, another directory would be taken for the root's own. To be asked by the user whom root has become.
 * @throws {PgbkError} `config`.
 */
export function refuseLinks(root: string): void {
  const { data, backups, instances, runs, restores } = rootLayout(root)
  const link = [data, backups, instances, runs, restores].find((path) => kindOf(path) === 'link')
  if (link !== undefined) throw isLink(link)
}

/** What is closed to the user is told when it is needed. */
function kindOf(path: string): Step['kind'] | undefined {
  try {
    return stepAt(path)?.kind
  } catch (error) {
    if (systemCode(error) === 'EACCES' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function isLink(path: string): PgbkError {
  return new PgbkError('config', `${path} is a symbolic link`, {
    hint: 'Started by root, pgbk does not follow it: whoever can change it would choose what root works on. Use the directory that it leads to as part of another root (-C), bind-mount it, or run pgbk as the user whom it belongs to.',
  })
}

function ownersIn(directory: string, wayInto: (entry: string) => string[]): Ids[] {
  const step = stepAt(directory)
  if (!step) return []
  if (step.kind === 'link') throw isLink(directory)
  if (step.uid !== 0) return [step]
  checkItself(directory, directory)
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
  return names.flatMap((name) => firstNotOfRoot(wayInto(join(directory, name))) ?? [])
}

/** Each is looked at only while nobody but root can change the one above it. */
function firstNotOfRoot(way: string[]): Step | undefined {
  for (const path of way) {
    const step = stepAt(path)
    if (step?.kind !== 'directory') return undefined
    if (step.uid !== 0) return step
    if ((step.mode & 0o022) !== 0) return undefined
  }
  return undefined
}

function wayIntoBackup(directory: string): string[] {
  const { snapshot, data } = backupLayout(directory)
  return [directory, snapshot, data]
}

function wayIntoInstance(directory: string): string[] {
  return [directory, instanceLayout(directory).data]
}
