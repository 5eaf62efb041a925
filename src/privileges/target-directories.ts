import { mkdirSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { realPath } from '../system/paths/real-path.js'
import type { Ids } from './owner-of-root.js'
import { stepAt } from './step-at.js'
import { checkWay, isRootsAlone } from './trust.js'

/** Directories that root wants to have filled by the user whom they belong to. */
export interface TargetDirectories {
  owner: Ids
  /** Without links, as far as they are there. */
  paths: string[]
  /** Those that are root's own, and empty: they will be the owner's. */
  ofRoot: string[]
  /** Makes those that are missing, or still root's own and empty, ready to be given to the owner. Returns their paths. */
  make(): string[]
}

/**
 * Finds out whom directories are to belong to: the owner of the first, or `run_as` where that is missing or root's own.
 * @throws {PgbkError} `config` where somebody else could swap one of them; `usage` for one of root's that is not empty.
 */
export function targetDirectories(directories: string[], runAs: string, context: Context): TargetDirectories {
  const paths = directories.map(realPath)
  const first = stepAt(paths[0] ?? '/')
  const owner = context.idsOf(first && first.uid !== 0 ? first.uid : runAs)
  for (const directory of directories) checkWay(directory, owner)
  const ofRoot = directories.filter((directory) => stepAt(realPath(directory))?.uid === 0)
  for (const directory of ofRoot) checkGivable(directory)
  return {
    owner,
    paths,
    ofRoot: ofRoot.map(realPath),
    make: () => [...ofRoot.map(realPath), ...directories.flatMap(makeForSomebody)],
  }
}

/** @throws {PgbkError} unless it is empty, and nobody but root can fill it, or put another in its place. */
function checkGivable(directory: string): void {
  if (isRootsAlone(directory) && readdirSync(directory).length === 0) return
  const problem = isRootsAlone(directory)
    ? 'is not empty'
    : 'belongs to root, but others could put another directory in its place'
  throw new PgbkError('usage', `${directory} ${problem}`, {
    hint: 'Nothing was changed. Restore into another directory, or give that one to the user whom it is to belong to.',
  })
}

/** In a directory that others can change, its user makes it. */
function makeForSomebody(directory: string): string[] {
  if (stepAt(realPath(directory)) || !isRootsAlone(dirname(directory))) return []
  mkdirSync(directory, 0o700)
  return [directory]
}
