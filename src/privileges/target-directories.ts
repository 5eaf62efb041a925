import { mkdirSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Ids } from './owner-of-root.js'
import { realPath } from './real-path.js'
import { stepAt } from './step-at.js'
import { checkWay } from './trust.js'

/** Directories that root wants to have filled by the user whom they belong to. */
export interface TargetDirectories {
  owner: Ids
  /** Without links, as far as they are there. */
  paths: string[]
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
  const ofRoot = paths.filter((path) => stepAt(path)?.uid === 0)
  for (const path of ofRoot) checkEmpty(path)
  return {
    owner,
    paths,
    make: () => [...ofRoot, ...paths.filter((path) => !stepAt(path)).flatMap(makeForSomebody)],
  }
}

/** It is root's own on a way that is root's own: nobody can fill it meanwhile. */
function checkEmpty(directory: string): void {
  const isDirectory = stepAt(directory)?.kind === 'directory'
  if (isDirectory && readdirSync(directory).length === 0) return
  throw new PgbkError('usage', `${directory} is not ${isDirectory ? 'empty' : 'a directory'}`, {
    hint: 'Nothing was changed. Restore into another directory.',
  })
}

/** In a directory of the user's the user makes it. */
function makeForSomebody(path: string): string[] {
  if (stepAt(dirname(path))?.uid !== 0) return []
  mkdirSync(path, 0o700)
  return [path]
}
