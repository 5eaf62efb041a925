import type { Dirent, Stats } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { kindOf } from '../read-small.js'

/** What does not belong below a directory of PostgreSQL's. */
export interface StrangeEntry {
  /** Below the directory; bytes that are no UTF-8 are replaced. */
  name: string
  /** `a symbolic link to /etc`, `a pipe` ... */
  kind: string
  isLink: boolean
}

export interface TreeRules {
  /** Where a link may lead, by its name below the directory; undefined for a name that can be no link. */
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
export async function strangeEntries(directory: string, rules: TreeRules): Promise<StrangeEntry[]> {
  const found: StrangeEntry[] = []
  const waiting: { path: Buffer; depth: number }[] = [{ path: Buffer.alloc(0), depth: 0 }]
  for (let next = waiting.pop(); next !== undefined && found.length < mostTold; next = waiting.pop()) {
    rules.signal.throwIfAborted()
    const { path, depth } = next
    const names = await entriesOf(directory, path)
    for (const { name, entry } of names) {
      const strange = await look(directory, name, entry, depth, rules)
      if (strange) found.push(strange)
      else if (entry.isDirectory()) waiting.push({ path: name, depth: depth + 1 })
    }
  }
  return found.slice(0, mostTold)
}

const slash = Buffer.from('/')

function below(directory: string, name: Buffer): Buffer {
  return name.length === 0 ? Buffer.from(directory) : Buffer.concat([Buffer.from(directory), slash, name])
}

async function entriesOf(
  directory: string,
  path: Buffer,
): Promise<{ name: Buffer; entry: Dirent<Buffer> }[]> {
  const entries = await readdir(below(directory, path), { withFileTypes: true, encoding: 'buffer' })
  return entries.map((entry) => ({
    name: path.length === 0 ? entry.name : Buffer.concat([path, slash, entry.name]),
    entry,
  }))
}

async function look(
  directory: string,
  name: Buffer,
  entry: Dirent<Buffer>,
  depth: number,
  rules: TreeRules,
): Promise<StrangeEntry | undefined> {
  const shown = name.toString()
  if (entry.isDirectory() && depth === mostDepth)
    return { name: shown, kind: 'a directory too deep', isLink: false }
  if (entry.isDirectory() || (entry.isFile() && rules.mayBeLinked)) return undefined
  const path = below(directory, name)
  const stats: Stats = await lstat(path)
  if (stats.isFile() && stats.nlink === 1) return undefined
  if (stats.isFile())
    return { name: shown, kind: `a file with ${stats.nlink} names (hard links)`, isLink: false }
  if (!stats.isSymbolicLink()) return { name: shown, kind: kindOf(stats), isLink: false }
  const target = await readlink(path)
  if (target === rules.linkTarget(shown)) return undefined
  return { name: shown, kind: `a symbolic link to ${target}`, isLink: true }
}
