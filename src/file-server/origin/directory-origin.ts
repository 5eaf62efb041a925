import {
  type BigIntStats,
  constants,
  type Dirent,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs'
import { descriptors } from '../../system/files/descriptors.js'
import { readFully } from '../../system/files/read-fully.js'
import { type BytePath, bytePath, pathBytes } from '../../system/paths/byte-path.js'
import type { Attributes, Kind, Origin, Time } from './origin.js'

const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** How many files, and how many directories, are open at once. */
const mostOpen = 200

/**
 * A directory, read-only. Whoever owns it may put links and other things into the place of what was there a moment ago: all is reached
 * from the root's descriptor, one name at a time, and no link is followed on the way.
 * @param root a link there is followed.
 */
export function directoryOrigin(root: string): Origin {
  const rootDescriptor = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY)
  const descriptorOf = (path: BytePath): number => (path === '' ? rootDescriptor : directories.get(path))
  /** A path that goes through an open directory, and has one more name at most. */
  const reached = (path: BytePath): Buffer => {
    const cut = path.lastIndexOf('/')
    const parent = `/proc/self/fd/${descriptorOf(path.slice(0, Math.max(cut, 0)) as BytePath)}/`
    return Buffer.concat([Buffer.from(parent), pathBytes(path.slice(cut + 1) as BytePath)])
  }
  const directories = descriptors<BytePath>(mostOpen, (path) =>
    openSync(reached(path), readOnly | constants.O_DIRECTORY),
  )
  const files = descriptors<BytePath>(mostOpen, (path) => openSync(reached(path), readOnly))
  return {
    list: (path) =>
      readdirSync(Buffer.from(`/proc/self/fd/${descriptorOf(path)}`), {
        withFileTypes: true,
        encoding: 'buffer',
      })
        .map((entry) => ({
          name: bytePath(entry.name as unknown as Buffer),
          kind: kindOf(entry as Dirent<never>),
        }))
        .filter((entry): entry is { name: BytePath; kind: Kind } => entry.kind !== undefined),
    attributes: (path) => attributesOf(lstatSync(reached(path), { bigint: true })),
    target: (path) => readlinkSync(reached(path), { encoding: 'buffer' }),
    read: (path, position, into, at, length) => readFully(files.get(path), position, into, at, length),
  }
}

function kindOf(entry: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): Kind | undefined {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'link' : undefined
}

function attributesOf({ mode, size, atimeNs, mtimeNs, ctimeNs }: BigIntStats): Attributes {
  return {
    permissions: Number(mode & 0o7777n),
    size: Number(size),
    atime: timeOf(atimeNs),
    mtime: timeOf(mtimeNs),
    ctime: timeOf(ctimeNs),
  }
}

function timeOf(nanoseconds: bigint): Time {
  const seconds =
    nanoseconds / 1_000_000_000n - (nanoseconds < 0n && nanoseconds % 1_000_000_000n !== 0n ? 1n : 0n)
  return { seconds: Number(seconds), nanoseconds: Number(nanoseconds - seconds * 1_000_000_000n) }
}
