import { chownSync, type Dirent } from 'node:fs'
import { chmod, chown, lchown, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { copyOneFile } from './copy-file.js'
import { syncPath } from './durable.js'
import { inParallel } from './in-parallel.js'
import type { Owner } from './owner.js'

export interface CopyTreeOptions {
  /** As for `fs.copyFile`. */
  mode: number
  /** Whom the copy belongs to. */
  owner: Owner
  signal: AbortSignal
  /** Leaves owner and mode of the topmost directory as they are. */
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
 * Copies what is in a directory into another, which exists. Modes and symbolic links stay as they are. Whom the copy belongs
 * to gets at a directory only when all in it is there, so that root can copy into places of others.
 * @throws a system error; what was copied by then stays, and nothing more is written.
 */
export async function copyTree(from: string, to: string, options: CopyTreeOptions): Promise<void> {
  const { owner, durable, keepTop } = options
  const found: Found = { files: [], directories: [] }
  await makeDirectories([from, to], found, options)
  await inParallel(found.files, 4, (pair) => copyOne(pair, options))
  for (const [source, target] of found.directories) {
    if (!(keepTop && target === to)) {
      await chmod(target, (await lstat(source)).mode & 0o7777)
      await chown(target, owner.uid, owner.gid)
    }
    if (durable) await syncPath(target)
  }
}

/** Makes all directories and links, and collects the files. */
async function makeDirectories([from, to]: Pair, found: Found, options: CopyTreeOptions): Promise<void> {
  const { uid, gid } = options.owner
  for (const entry of await readdir(from, { withFileTypes: true })) {
    options.signal.throwIfAborted()
    const pair: Pair = [join(from, entry.name), join(to, entry.name)]
    const [source, target] = pair
    if (options.leaveOut?.(source, entry)) continue
    if (entry.isDirectory()) {
      await mkdir(target)
      await makeDirectories(pair, found, options)
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), target)
      await lchown(target, uid, gid)
    } else if (entry.isFile()) found.files.push(pair)
  }
  found.directories.push([from, to])
}

async function copyOne([source, target]: Pair, options: CopyTreeOptions): Promise<void> {
  options.signal.throwIfAborted()
  const bytes = await copyOneFile(source, target, options.mode)
  chownSync(target, options.owner.uid, options.owner.gid)
  if (options.durable) await syncPath(target)
  options.onFile?.(bytes)
}
