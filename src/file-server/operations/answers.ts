import { blockSize } from '../blocks/thin-file.js'
import type { Kind } from '../origin/origin.js'
import { fuse_attr, fuse_attr_out, fuse_entry_out } from '../protocol/fuse.js'
import type { AnyNode } from '../tree/node.js'
import { type FileSystem, start } from './operation.js'

/** How many seconds the kernel may rely on what it was told: for ever, since nothing changes but through it. */
const validity = 1_000_000_000

/** S_IFREG, S_IFDIR and S_IFLNK of inode(7). */
export const fileTypes: Record<Kind, number> = { file: 0o100000, directory: 0o040000, link: 0o120000 }

/** A fuse_entry_out for a node, of which the kernel is told by that. */
export function entryAnswer(fileSystem: FileSystem, node: AnyNode, answer: Buffer): number {
  node.lookups++
  fuse_entry_out.write(answer, start, { nodeid: node.id, entry_valid: validity, attr_valid: validity })
  return fuse_entry_out.size + writeAttributes(fileSystem, node, answer, start + fuse_entry_out.size)
}

/** A fuse_entry_out that says that there is no such name. */
export function nothingAnswer(answer: Buffer): number {
  fuse_entry_out.write(answer, start, { entry_valid: validity })
  answer.fill(0, start + fuse_entry_out.size, start + fuse_entry_out.size + fuse_attr.size)
  return fuse_entry_out.size + fuse_attr.size
}

export function attributesAnswer(fileSystem: FileSystem, node: AnyNode, answer: Buffer): number {
  fuse_attr_out.write(answer, start, { attr_valid: validity })
  return fuse_attr_out.size + writeAttributes(fileSystem, node, answer, start + fuse_attr_out.size)
}

function writeAttributes({ owner }: FileSystem, node: AnyNode, answer: Buffer, at: number): number {
  const { size, attributes } = node
  const { permissions, atime, mtime, ctime } = attributes
  fuse_attr.write(answer, at, {
    ino: node.id,
    size,
    blocks: Math.ceil(size / 512),
    atime: atime.seconds,
    mtime: mtime.seconds,
    ctime: ctime.seconds,
    atimensec: atime.nanoseconds,
    mtimensec: mtime.nanoseconds,
    ctimensec: ctime.nanoseconds,
    mode: fileTypes[node.kind] | permissions,
    // Of a directory this does not count what is in it, as on Btrfs: programs know that.
    nlink: node.isNamed ? 1 : 0,
    uid: owner.uid,
    gid: owner.gid,
    blksize: blockSize,
  })
  return fuse_attr.size
}
