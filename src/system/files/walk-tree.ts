import { type Dir, type Dirent, opendirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { messageOf, systemCode } from '../../errors.js'
import { type BytePath, joinBytes, shownPath, systemPath } from '../paths/byte-path.js'

/** Something below the top of a tree. */
export interface TreeEntry {
  /** Below the top. */
  name: BytePath
  path: BytePath
  /** Told by the directory itself: no link is followed, and nothing but its kind is known. */
  kind: Pick<Dirent, 'isDirectory' | 'isFile' | 'isSymbolicLink'>
}

interface TreeRules {
  /** Whether the walk goes on below a directory. Default: below all. */
  enters?(directory: TreeEntry): boolean
  /** A directory that is gone when it is to be read has nothing in it. */
  mayGo?: boolean
}

/** So many names are read from a directory at a time. */
const atOnce = 1024

/**
 * The only way in which the contents of backups are walked: names are bytes, no link is followed, and however many entries a
 * directory has, only a part of them is held. Each directory comes before what is in it.
 * @throws a system error.
 */
export function* treeEntries(top: BytePath, rules: TreeRules = {}): Generator<TreeEntry> {
  const waiting = ['' as BytePath]
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    for (const entry of entriesIn(top, below, rules)) {
      if (entry.kind.isDirectory() && rules.enters?.(entry) !== false) waiting.push(entry.name)
      yield entry
    }
  }
}

/** Those of one directory. */
function* entriesIn(top: BytePath, below: BytePath, rules: TreeRules): Generator<TreeEntry> {
  const here = below === '' ? top : joinBytes(top, below)
  const directory = opened(here, rules)
  if (!directory) return
  try {
    for (let kind = directory.readSync(); kind !== null; kind = directory.readSync()) {
      const name = joinBytes(below, kind.name as BytePath)
      yield { name, path: joinBytes(here, kind.name as BytePath), kind }
    }
  } finally {
    directory.closeSync()
  }
}

function opened(path: BytePath, { mayGo }: TreeRules): Dir | undefined {
  try {
    return opendirSync(systemPath(path) as string, { encoding: 'latin1', bufferSize: atOnce })
  } catch (error) {
    if (mayGo && ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    throw withPath(error, path)
  }
}

/** Node does not say which directory it was. */
function withPath(error: unknown, path: BytePath): unknown {
  if (systemCode(error) === undefined || typeof error !== 'object' || error === null || 'path' in error)
    return error
  const shown = shownPath(path)
  return Object.assign(error, { path: shown, message: `${messageOf(error)} '${shown}'` })
}

/** So many entries are looked at before others have their turn: a thousandth of a second. */
const beforeTurn = 256

interface WalkOptions extends TreeRules {
  signal?: AbortSignal | undefined
}

/**
 * Calls `visit`, which must not wait, for every entry of a tree, and lets signals in between.
 * @throws what `visit` throws; a system error; the signal's reason when aborted.
 */
export async function walkTree(
  top: BytePath,
  visit: (entry: TreeEntry) => void,
  { signal, ...rules }: WalkOptions = {},
): Promise<void> {
  let seen = 0
  for (const entry of treeEntries(top, rules)) {
    visit(entry)
    if (++seen % beforeTurn !== 0) continue
    await setImmediate()
    signal?.throwIfAborted()
  }
}
