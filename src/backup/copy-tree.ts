import type { Dirent } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { copyOneFile, moveOneFile } from './copy-file.js'
import { syncPath } from './durable.js'
import { inParallel } from './in-parallel.js'

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
  /** What is not copied, by its path in the source. */
  leaveOut?(path: string, entry: Dirent): boolean
  /** Told how many bytes a file had that is copied now. */
  onFile?(bytes: number): void
}

type Pair = [source: string, target: string]

interface Found {
  files: Pair[]
  /** Each after those inside of it. */
  directories: Pair[]
}

/**
 * Copies what is in a directory into another, which exists. Modes and symbolic links stay as they are.
 * @throws a system error; what was copied by then stays, and nothing more is written.
 */
export async function copyTree(from: string, to: string, options: CopyTreeOptions): Promise<void> {
  const { durable, keepTop } = options
  const found: Found = { files: [], directories: [] }
  await makeDirectories([from, to], found, options)
  await inParallel(found.files, 4, (pair) => copyOne(pair, options))
  for (const [source, target] of found.directories) {
    if (!(keepTop && target === to)) await chmod(target, (await lstat(source)).mode & 0o7777)
    if (durable) await syncPath(target)
  }
}

/** Makes all directories and links, and collects the files. */
async function makeDirectories([from, to]: Pair, found: Found, options: CopyTreeOptions): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    options.signal.throwIfAborted()
    const pair: Pair = [join(from, entry.name), join(to, entry.name)]
    const [source, target] = pair
    if (options.leaveOut?.(source, entry)) continue
    if (entry.isDirectory()) {
      await mkdir(target)
      await makeDirectories(pair, found, options)
    } else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else if (entry.isFile()) found.files.push(pair)
  }
  found.directories.push([from, to])
}

async function copyOne([source, target]: Pair, options: CopyTreeOptions): Promise<void> {
  options.signal.throwIfAborted()
  const bytes = await (options.move ? moveOneFile : copyOneFile)(source, target, options.mode)
  if (options.durable) await syncPath(target)
  options.onFile?.(bytes)
}
