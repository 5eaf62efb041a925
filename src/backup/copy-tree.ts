import { chmod, chown, copyFile, lchown, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Owner } from './owner.js'

export interface CopyTreeOptions {
  /** As for `fs.copyFile`. */
  mode: number
  /** Whom the copy belongs to. */
  owner: Owner
  signal: AbortSignal
  /** Told the bytes that are copied so far. */
  onBytes?(done: number): void
}

const atOnce = 4

/**
 * Copies what is in a directory into another, which exists. Modes and symbolic links stay as they are.
 * @throws a system error; what was copied by then stays, and nothing more is written.
 */
export async function copyTree(from: string, to: string, options: CopyTreeOptions): Promise<void> {
  const files: [string, string][] = []
  await copyDirectories(from, to, files, options)
  let done = 0
  const worker = async () => {
    for (let next = files.pop(); next !== undefined; next = files.pop()) {
      options.signal.throwIfAborted()
      const [source, target] = next
      await copyFile(source, target, options.mode)
      await chown(target, options.owner.uid, options.owner.gid)
      done += (await lstat(target)).size
      options.onBytes?.(done)
    }
  }
  const stopAll = (error: unknown) => {
    files.length = 0
    throw error
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, () => worker().catch(stopAll)))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
}

/** Makes all directories and links, and collects the files. */
async function copyDirectories(
  from: string,
  to: string,
  files: [string, string][],
  options: CopyTreeOptions,
): Promise<void> {
  const { uid, gid } = options.owner
  for (const entry of await readdir(from, { withFileTypes: true })) {
    options.signal.throwIfAborted()
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      await mkdir(target)
      await copyDirectories(source, target, files, options)
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), target)
      await lchown(target, uid, gid)
    } else if (entry.isFile()) files.push([source, target])
  }
  await chown(to, uid, gid)
  await chmod(to, (await lstat(from)).mode & 0o7777)
}
