import type { BytePath } from '../../system/paths/byte-path.js'

export type Kind = 'file' | 'directory' | 'link'

export interface Time {
  seconds: number
  nanoseconds: number
}

export interface Attributes {
  /** The permissions: the lowest twelve bits of st_mode. */
  permissions: number
  /** In bytes. */
  size: number
  atime: Time
  mtime: Time
  ctime: Time
}

/**
 * A tree of files that nobody changes, which a working copy starts from. Paths are relative to its root, which is the empty one, and are
 * only such as `list` has named. All fails with the error of a system call, which has an `errno`. Every call waits until it is
 * done: the file server does one thing at a time. (What is read from afar waits for a thread of its own, by Atomics.wait.)
 */
export interface Origin {
  /** What is in a directory, in no order; kinds of other files than these three are left out. */
  list(path: BytePath): { name: BytePath; kind: Kind }[]
  attributes(path: BytePath): Attributes
  /** What a symbolic link leads to. */
  target(path: BytePath): Buffer
  /** Reads bytes of a file; fewer than wanted only where it ends. */
  read(path: BytePath, position: number, into: Buffer, at: number, length: number): number
}
