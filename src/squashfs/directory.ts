import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import type { StoredDirectory } from './inode.js'
import { type Metadata, oddImage } from './metadata.js'
import type { Superblock } from './superblock.js'

/** A name in a directory, and where its inode is. */
export interface Entry {
  name: BytePath
  block: number
  offset: number
}

const headerBytes = 12
const entryBytes = 8
/** Some 100,000 names: of a larger directory nothing is told. */
const mostBytes = 2 << 20

/** @throws {PgbkError} `damaged`. */
export async function entriesOf(
  metadata: Metadata,
  { directoryTable }: Superblock,
  { block, offset, bytes }: StoredDirectory,
): Promise<Entry[]> {
  if (bytes > mostBytes) return []
  const listing = await metadata.read(directoryTable + block, offset, bytes)
  const entries: Entry[] = []
  for (let at = 0; at < listing.length; ) {
    if (at + headerBytes > listing.length) throw oddImage('a directory ends in the middle')
    const count = listing.readUInt32LE(at) + 1
    const inodes = listing.readUInt32LE(at + 4)
    at += headerBytes
    for (let index = 0; index < count; index++) {
      const length = at + entryBytes > listing.length ? 0 : listing.readUInt16LE(at + 6) + 1
      const end = at + entryBytes + length
      if (length === 0 || end > listing.length) throw oddImage('a directory ends in the middle')
      const name = bytePath(listing.subarray(at + entryBytes, end))
      entries.push({ name, block: inodes, offset: listing.readUInt16LE(at) })
      at = end
    }
  }
  return entries
}
