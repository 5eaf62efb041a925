import { lstatSync, rmdirSync, unlinkSync } from 'node:fs'
import { systemCode } from '../../errors.js'
import { type BytePath, bytePath, systemPath } from '../paths/byte-path.js'
import { runProgram } from '../program/run-program.js'
import { type TreeEntry, treeEntries, walkTree } from './walk-tree.js'

/**
 * Removes whatever is at a path, with everything in it, as `rm -rf` does: no link is followed, and what goes meanwhile is not a fault.
 * @throws a system error; `ENOTEMPTY` when others still write there.
 */
export async function removeTree(top: BytePath): Promise<void> {
  if (!lstatSync(systemPath(top), { throwIfNoEntry: false })?.isDirectory()) return unlink(top)
  const directories = [top]
  const visit = ({ kind, path }: TreeEntry) => {
    if (kind.isDirectory()) directories.push(path)
    else unlink(path)
  }
  await walkTree(top, visit, { mayGo: true })
  for (const directory of directories.reverse()) unlessGone(() => rmdirSync(systemPath(directory)))
}

/**
 * Removes as much as can be removed of what is at a path, which begins with a slash; what is left, and why, is for `removeTree`. rm(1)
 * takes half of the time for very many files.
 */
export async function removeInBulk(top: string): Promise<void> {
  await runProgram('rm', ['-rf', top]).catch(() => {}) // there is no such program
}

/** Removes what is in a directory, but for some names. @throws as `removeTree`. */
export async function removeContents(directory: string, kept: string[] = []): Promise<void> {
  const top = bytePath(directory)
  const spared = new Set(kept.map(bytePath))
  for (const { name, path } of [...treeEntries(top, { enters: () => false, mayGo: true })])
    if (!spared.has(name)) await removeTree(path)
}

function unlink(path: BytePath): void {
  unlessGone(() => unlinkSync(systemPath(path)))
}

function unlessGone(remove: () => void): void {
  try {
    remove()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
