import type { BytePath } from '../../system/paths/byte-path.js'
import type { Store } from '../blocks/store.js'
import { fuse_in_header, outHeaderSize } from '../protocol/fuse.js'
import type { Tree } from '../tree/tree.js'

/** What the operations work on. */
export interface FileSystem {
  tree: Tree
  store: Store
  /** Whom all files belong to. */
  owner: { uid: number; gid: number }
}

/** One request of the kernel. */
export interface Request {
  opcode: number
  /** What it is about: mostly the number of a node. */
  nodeid: number
  /** The whole request; what the operation is told begins at `body`. */
  bytes: Buffer
}

/**
 * Does what the kernel asks for, and writes the answer's body into `answer`, from `outHeaderSize` on.
 * @returns how long that is, or `noAnswer`.
 * @throws what the caller of the system call is to be told: a Refusal, or an error of a system call.
 */
export type Operation = (request: Request, answer: Buffer) => number

/** The kernel expects none. */
export const noAnswer = -1

/** Where a request's own part begins. */
export const body = fuse_in_header.size

/** Where an answer's own part begins. */
export const start = outHeaderSize

/** A name, which ends with a 0. */
export function requestedName({ bytes }: Request, at: number): BytePath {
  return bytes.toString('latin1', at, bytes.indexOf(0, at)) as BytePath
}

/** Two of them. */
export function requestedNames(request: Request, at: number): [BytePath, BytePath] {
  const first = requestedName(request, at)
  return [first, requestedName(request, at + first.length + 1)]
}
