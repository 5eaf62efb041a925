/** Where the parts of an image are: struct squashfs_super_block in fs/squashfs/squashfs_fs.h of Linux. */
export interface Superblock {
  /** Of a file's blocks, but for its last one. */
  blockSize: number
  /** Where its last byte is, but for padding. */
  bytes: number
  fragments: number
  /** A reference: where its inode is in the table. */
  root: bigint
  inodeTable: number
  directoryTable: number
  fragmentTable: number
}

export const superblockBytes = 96

const magic = 0x73717368
/** The compressions are numbered there. */
const zstd = 6

/** Undefined for what is no image of ours: another compression, or not squashfs 4.0 of so many bytes. */
export function superblockIn(bytes: Buffer, imageBytes: number): Superblock | undefined {
  if (bytes.length < superblockBytes || bytes.readUInt32LE(0) !== magic) return undefined
  const at = (offset: number) => Number(bytes.readBigUInt64LE(offset))
  const found = {
    blockSize: bytes.readUInt32LE(12),
    fragments: bytes.readUInt32LE(16),
    root: bytes.readBigUInt64LE(32),
    bytes: at(40),
    inodeTable: at(64),
    directoryTable: at(72),
    fragmentTable: at(80),
  }
  const isOurs = bytes.readUInt16LE(20) === zstd && bytes.readUInt16LE(28) === 4
  const inOrder = [superblockBytes, found.inodeTable, found.directoryTable, found.bytes, imageBytes]
  const isInOrder = inOrder.every((place, index) => index === 0 || place >= (inOrder[index - 1] ?? 0))
  const isBlockSize = found.blockSize >= 4096 && found.blockSize <= 1 << 20
  return isOurs && isInOrder && isBlockSize ? found : undefined
}
