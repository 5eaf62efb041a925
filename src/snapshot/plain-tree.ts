import { lstatSync, readlinkSync } from 'node:fs'
import { listTree } from '../system/files/list-tree.js'
import { kindOf } from '../system/files/read-small.js'
import { type TreeEntry, walkTree } from '../system/files/walk-tree.js'
import { type BytePath, bytePath, joinBytes, shownPath, systemPath } from '../system/paths/byte-path.js'

/** What does not belong below a directory of PostgreSQL's. */
export interface StrangeEntry {
  /** Below the directory; bytes that are not UTF-8 are replaced. */
  name: string
  /** `a symbolic link to /etc`, `a pipe` ... */
  kind: string
  isLink: boolean
}

interface PlainTreeRules {
  /** Where a link may lead, by its name below the directory; undefined for a name that cannot be a link. */
  linkTarget(name: string): string | undefined
  /** Whether files may have further names (hard links). */
  mayBeLinked?: boolean
  signal: AbortSignal
}

/** More than these nobody reads. */
const mostTold = 20

/** Deeper than any directory of PostgreSQL's. */
const mostDepth = 32

/**
 * Looks, without following any link, for what is neither a regular file nor a directory, and for links that lead elsewhere than they
 * may: whoever works below the directory afterwards is not led out of it.
 * @throws a system error; the signal's reason when aborted.
 */
export async function strangeEntries(directory: string, rules: PlainTreeRules): Promise<StrangeEntry[]> {
  if (await isPlain(directory, rules)) return []
  const found: StrangeEntry[] = []
  const visit = (entry: TreeEntry) => {
    const strange = found.length < mostTold ? look(entry, rules) : undefined
    if (strange) found.push(strange)
  }
  const enters = (entry: TreeEntry) => found.length < mostTold && !isTooDeep(entry)
  await walkTree(bytePath(directory), visit, { signal: rules.signal, enters })
  return found
}

/** Whether there is nothing strange: false where this is not known. Files, which are nearly all there is, are not even named. */
async function isPlain(
  directory: string,
  { linkTarget, mayBeLinked, signal }: PlainTreeRules,
): Promise<boolean> {
  let isStrange = false
  const visit = (item: string) => {
    const name = item.slice(item.indexOf(' ') + 1) as BytePath
    const path = joinBytes(bytePath(directory), name)
    isStrange ||= item.startsWith('d')
      ? name.split('/').length > mostDepth
      : !item.startsWith('l') || readlinkSync(systemPath(path)) !== linkTarget(shownPath(name))
  }
  const usual = mayBeLinked ? ['-type', 'f'] : ['-type', 'f', '-links', '1']
  return (await listTree(directory, ['!', '(', ...usual, ')'], visit, signal)) && !isStrange
}

function isTooDeep({ name }: TreeEntry): boolean {
  return name.split('/').length > mostDepth
}

function look({ name, path, kind }: TreeEntry, rules: PlainTreeRules): StrangeEntry | undefined {
  if (kind.isDirectory())
    return isTooDeep({ name, path, kind })
      ? { name: shownPath(name), kind: 'a directory too deep', isLink: false }
      : undefined
  if (kind.isFile() && rules.mayBeLinked) return undefined
  const at = systemPath(path)
  const stats = lstatSync(at)
  if (stats.isFile() && stats.nlink === 1) return undefined
  const shown = shownPath(name)
  if (stats.isFile())
    return { name: shown, kind: `a file with ${stats.nlink} names (hard links)`, isLink: false }
  if (!stats.isSymbolicLink()) return { name: shown, kind: kindOf(stats), isLink: false }
  const target = readlinkSync(at)
  if (target === rules.linkTarget(shown)) return undefined
  return { name: shown, kind: `a symbolic link to ${target}`, isLink: true }
}
