import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'

export interface Measure {
  bytes: number
  files: number
}

/** Adds up the regular files below a directory; symbolic links are not followed. */
export async function measureTree(directory: string): Promise<Measure> {
  const sum = { bytes: 0, files: 0 }
  const waiting = [directory]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const here = next
    const entries = await readdir(here, { withFileTypes: true })
    waiting.push(...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(here, name)))
    const files = entries.filter((entry) => entry.isFile())
    const sizes = await Promise.all(files.map(async ({ name }) => (await lstat(join(here, name))).size))
    sum.files += files.length
    sum.bytes += sizes.reduce((total, size) => total + size, 0)
  }
  return sum
}

/** Bytes that an ordinary user may still write to the file system of a directory. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
