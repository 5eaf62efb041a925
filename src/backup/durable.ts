import { closeSync, fsync, openSync } from 'node:fs'
import { chmod, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { inParallel } from './in-parallel.js'

/** Writes a file, readable by its owner alone, and flushes it to disk. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Puts a file in the place of another, or of none, in one step: readers see the one or the other, whole.
 * @param mode for files that others are to read; else they are their owner's alone.
 */
export async function replaceDurably(path: string, content: string, mode?: number): Promise<void> {
  const next = `${path}.new`
  try {
    await writeDurably(next, content)
    if (mode !== undefined) await chmod(next, mode)
    await rename(next, path)
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
  await syncPath(dirname(path))
}

/** Flushes one file, or the entries of one directory, to disk. */
export async function syncPath(path: string): Promise<void> {
  // Only the flush takes time: to hand the rest to other threads takes longer than to do it.
  const descriptor = openSync(path, 'r')
  try {
    await flush(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const flush = promisify(fsync)

const atOnce = 4

/** Flushes a directory with everything in it; symbolic links are not followed. */
export async function syncTree(directory: string): Promise<void> {
  const paths: string[] = []
  await collect(directory, paths)
  await inParallel(paths, atOnce, syncPath)
}

async function collect(directory: string, paths: string[]): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await collect(path, paths)
    else if (entry.isFile()) paths.push(path)
  }
  paths.push(directory)
}
