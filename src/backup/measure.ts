import type { Dirent } from 'node:fs'
import { lstat, readdir, statfs } from 'node:fs/promises'

export interface Measure {
  bytes: number
  files: number
}

/** Adds up the regular files below a directory; symbolic links are not followed. Names are bytes, not always UTF-8. */
export async function measureTree(directory: string): Promise<Measure> {
  const sum = { bytes: 0, files: 0 }
  const waiting: Buffer[] = [Buffer.from(directory)]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const here = next
    const entries: Dirent<Buffer>[] = await readdir(here, { withFileTypes: true, encoding: 'buffer' })
    waiting.push(...entries.filter((entry) => entry.isDirectory()).map(({ name }) => inside(here, name)))
    const files = entries.filter((entry) => entry.isFile())
    const sizes = await Promise.all(files.map(async ({ name }) => (await lstat(inside(here, name))).size))
    sum.files += files.length
    sum.bytes += sizes.reduce((total, size) => total + size, 0)
  }
  return sum
}

function inside(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name])
}

/** Bytes that an ordinary user may still write to the file system of a directory. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
