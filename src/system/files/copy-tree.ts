import { chmodSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type BytePath, bytePath, joinBytes, systemPath } from '../paths/byte-path.js'
import { copyOneFile, copySmallFile, moveOneFile } from './copy-file.js'
import { flushedAlone, syncPath, syncTree } from './durable.js'
import { inParallel } from './in-parallel.js'
import { type TreeEntry, treeEntries } from './walk-tree.js'

export interface CopyTreeOptions {
  /** As for `fs.copyFile`. */
  mode: number
  /** Takes the files away from where they are. */
  move?: boolean
  signal: AbortSignal
  /** Leaves the mode of the topmost directory as it is. */
  keepTop?: boolean
  /** Flushes every file and directory to disk. */
  durable?: boolean
  /** What is not copied. */
  leaveOut?(entry: TreeEntry): boolean
  /** Told how many bytes a file had that is copied now. */
  onFile?(bytes: number): void
}

/** The two ends of a copy. */
interface Ends {
  from: BytePath
  to: BytePath
}

/**
 * Copies what is in a directory into another, which exists. Modes and symbolic links stay as they are. However many files there are,
 * only the names of the directories are held.
 * @throws a system error; what was copied by then stays, and nothing more is written.
 */
export async function copyTree(from: string, to: string, options: CopyTreeOptions): Promise<void> {
  const ends = { from: bytePath(from), to: bytePath(to) }
  /** Each before those inside of it. */
  const directories: BytePath[] = options.keepTop ? [] : ['' as BytePath]
  await inParallel(largeFilesOf(ends, directories, options), 4, ({ name }) => copyOne(ends, name, options))
  for (const name of directories.reverse())
    chmodSync(at(ends.to, name), lstatSync(at(ends.from, name)).mode & 0o7777)
  if (options.durable) await syncTree(to)
}

/** Makes the directories and links on its way. */
function* filesOf(
  { from, to }: Ends,
  directories: BytePath[],
  options: CopyTreeOptions,
): Generator<TreeEntry> {
  const enters = (entry: TreeEntry) => !options.leaveOut?.(entry)
  for (const entry of treeEntries(from, { enters })) {
    options.signal.throwIfAborted()
    if (options.leaveOut?.(entry)) continue
    const { name, kind } = entry
    if (kind.isDirectory()) {
      mkdirSync(at(to, name))
      directories.push(name)
    } else if (kind.isSymbolicLink())
      symlinkSync(readlinkSync(at(from, name), { encoding: 'buffer' }), at(to, name))
    else if (kind.isFile()) yield entry
  }
}

/** So many small files are copied before signals and the large ones have their turn. */
const beforeTurn = 64

/** Copies the small ones on its way. */
async function* largeFilesOf(
  ends: Ends,
  directories: BytePath[],
  options: CopyTreeOptions,
): AsyncGenerator<TreeEntry> {
  let seen = 0
  for (const entry of filesOf(ends, directories, options)) {
    if (++seen % beforeTurn === 0) await setImmediate()
    const bytes = options.move
      ? undefined
      : copySmallFile(at(ends.from, entry.name), at(ends.to, entry.name), options.mode)
    if (bytes === undefined) yield entry
    else options.onFile?.(bytes)
  }
}

function at(top: BytePath, name: BytePath): string | Buffer {
  return systemPath(name === '' ? top : joinBytes(top, name))
}

async function copyOne({ from, to }: Ends, name: BytePath, options: CopyTreeOptions): Promise<void> {
  options.signal.throwIfAborted()
  const target = at(to, name)
  const bytes = await (options.move ? moveOneFile : copyOneFile)(at(from, name), target, options.mode)
  // While others are copied: the rest is flushed at the end, all at once.
  if (options.durable && bytes >= flushedAlone) await syncPath(target)
  options.onFile?.(bytes)
}
