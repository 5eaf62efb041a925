import { type Metadata, oddImage } from './metadata.js'
import type { Superblock } from './superblock.js'

/** What is read of a directory's inode. */
export interface StoredDirectory {
  kind: 'directory'
  /** Where its listing begins: a block, counted from the beginning of the table of directories, and a place in what is in it. */
  block: number
  offset: number
  /** Of its listing. */
  bytes: number
}

/** What is read of a file's inode. */
export interface StoredFile {
  kind: 'file'
  /** Its blocks, which lie side by side. */
  from: number
  /** What each takes. */
  blocks: number[]
  /** The number of the fragment that has its end, or all of it. */
  fragment: number | undefined
}

/** Types of inodes, as squashfs_fs.h numbers them: each that is read is there in a short and in a long form. */
const types = { directory: 1, file: 2, longDirectory: 8, longFile: 9 } as const

const headerBytes = 16
const noFragment = 0xffff_ffff
const isPlain = 1 << 24
/** 128 MB in blocks of 128 KiB: of a longer file the beginning is told. */
const mostBlocks = 1024

/** Undefined for a link and what else there is. @throws {PgbkError} `damaged`. */
export async function readInode(
  metadata: Metadata,
  { inodeTable, blockSize }: Superblock,
  reference: { block: number; offset: number },
): Promise<StoredDirectory | StoredFile | undefined> {
  const at = inodeTable + reference.block
  const read = (length: number) => metadata.read(at, reference.offset, length)
  const type = (await read(headerBytes)).readUInt16LE(0)
  if (type === types.directory) {
    const inode = await read(32)
    return directory(inode.readUInt32LE(16), inode.readUInt16LE(26), inode.readUInt16LE(24))
  }
  if (type === types.longDirectory) {
    const inode = await read(40)
    return directory(inode.readUInt32LE(24), inode.readUInt16LE(34), inode.readUInt32LE(20))
  }
  if (type !== types.file && type !== types.longFile) return undefined
  const isLong = type === types.longFile
  const length = isLong ? 56 : 32
  const inode = await read(length)
  const bytes = isLong ? Number(inode.readBigUInt64LE(24)) : inode.readUInt32LE(28)
  const fragment = inode.readUInt32LE(isLong ? 44 : 20)
  const ofWhole = fragment === noFragment ? Math.ceil(bytes / blockSize) : Math.floor(bytes / blockSize)
  const count = Math.min(ofWhole, mostBlocks)
  const list = (await read(length + 4 * count)).subarray(length)
  return {
    kind: 'file',
    from: isLong ? Number(inode.readBigUInt64LE(16)) : inode.readUInt32LE(16),
    blocks: Array.from({ length: count }, (_, index) => list.readUInt32LE(4 * index) & ~isPlain),
    fragment: fragment === noFragment ? undefined : fragment,
  }
}

/** A listing is said to have three bytes more than it has. */
function directory(block: number, offset: number, said: number): StoredDirectory {
  if (said < 3) throw oddImage('a directory has no length')
  return { kind: 'directory', block, offset, bytes: said - 3 }
}
