import { lstatSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { bytePath, systemPath } from '../paths/byte-path.js'
import { listTree } from './list-tree.js'
import { walkTree } from './walk-tree.js'

interface TreeMeasure {
  bytes: number
  files: number
}

/** Adds up the regular files below a directory; symbolic links are not followed. @param but a directory in it that does not count. */
export async function measureTree(directory: string, but?: string): Promise<TreeMeasure> {
  const sum = { bytes: 0, files: 0 }
  const add = (bytes: number) => {
    sum.bytes += bytes
    sum.files++
  }
  const isListed =
    but === undefined &&
    (await listTree(directory, ['-type', 'f'], (item) => add(Number.parseInt(item.slice(1), 10))))
  if (isListed) return sum
  Object.assign(sum, { bytes: 0, files: 0 })
  const left = but === undefined ? undefined : bytePath(but)
  await walkTree(
    bytePath(directory),
    ({ path, kind }) => {
      if (kind.isFile()) add(lstatSync(systemPath(path)).size)
    },
    { enters: ({ path }) => path !== left },
  )
  return sum
}

/** Bytes that an ordinary user may still write to the file system of a directory. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** The bytes that the files below some directories take on the disk, which may lose and get some meanwhile. */
export async function diskUsage(directories: readonly string[]): Promise<number> {
  let bytes = 0
  for (const directory of directories)
    await walkTree(
      bytePath(directory),
      ({ path }) => {
        bytes += (lstatSync(systemPath(path), { throwIfNoEntry: false })?.blocks ?? 0) * blockBytes
      },
      { mayGo: true },
    )
  return bytes
}

/** Of st_blocks (inode(7)). */
const blockBytes = 512
