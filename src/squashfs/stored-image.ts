import type { BytePath } from '../system/paths/byte-path.js'
import { type Entry, entriesOf } from './directory.js'
import { readInode, type StoredFile } from './inode.js'
import { exactly, metadataOf, oddImage, type ReadImage } from './metadata.js'
import type { Superblock } from './superblock.js'

/** Bytes of an image: from the first up to, and without, the second. */
export type Extent = [from: number, to: number]

/** An image whose files are looked up without mounting it. */
export interface StoredImage {
  /** The names in a directory; undefined where there is none. @throws {PgbkError} `damaged`. */
  namesIn(directory: string): Promise<BytePath[] | undefined>
  /**
   * Where the first bytes of a file are; nothing where there is no such file.
   * @param most about so many bytes, as they lie there.
   * @throws {PgbkError} `damaged`.
   */
  extentsOf(path: string, most: number): Promise<Extent[]>
}

/** Of an entry of the table of fragments. */
const fragmentBytes = 16
/** In a block of metadata. */
const fragmentsInBlock = 512
const isPlain = 1 << 24

/** Reads what is asked for, and no more. What it says is a hint: nothing in an image from elsewhere is trusted. */
export function openStoredImage(superblock: Superblock, image: ReadImage): StoredImage {
  const metadata = metadataOf(image)
  const { root, fragments, fragmentTable, bytes } = superblock
  const listed = new Map<string, Promise<Map<string, Entry> | undefined>>()

  const inodeOf = async (path: string) => {
    if (path === '') return readInode(metadata, superblock, referenceOf(root))
    const cut = path.lastIndexOf('/')
    const entry = (await list(path.slice(0, Math.max(0, cut))))?.get(path.slice(cut + 1))
    return entry && readInode(metadata, superblock, entry)
  }
  const list = (path: string) => {
    const found = listed.get(path) ?? readList(path)
    listed.set(path, found)
    return found
  }
  const readList = async (path: string) => {
    const inode = await inodeOf(path)
    if (inode?.kind !== 'directory') return undefined
    const entries = await entriesOf(metadata, superblock, inode)
    return new Map(entries.map((entry) => [entry.name as string, entry]))
  }
  const fragment = async (index: number): Promise<Extent> => {
    if (index >= fragments) throw oddImage(`it has no fragment ${index}`)
    const pointer = await exactly(image, fragmentTable + 8 * Math.floor(index / fragmentsInBlock), 8)
    const offset = (index % fragmentsInBlock) * fragmentBytes
    const entry = await metadata.read(Number(pointer.readBigUInt64LE(0)), offset, fragmentBytes)
    const from = Number(entry.readBigUInt64LE(0))
    return [from, from + (entry.readUInt32LE(8) & ~isPlain)]
  }
  const checked = ([from, to]: Extent): Extent => {
    if (from < 0 || to < from || to > bytes) throw oddImage('a file lies outside of it')
    return [from, to]
  }
  return {
    namesIn: async (directory) => {
      const entries = await list(directory)
      return entries && [...entries.values()].map(({ name }) => name)
    },
    async extentsOf(path, most) {
      const file = await inodeOf(path)
      if (file?.kind !== 'file') return []
      const extents = file.blocks.length > 0 ? [checked([file.from, endOf(file, most)])] : []
      if (file.fragment !== undefined) extents.push(checked(await fragment(file.fragment)))
      return extents
    },
  }
}

function referenceOf(root: bigint): { block: number; offset: number } {
  return { block: Number(root >> 16n), offset: Number(root & 0xffffn) }
}

/** As many blocks as begin within so many bytes. */
function endOf({ from, blocks }: StoredFile, most: number): number {
  let end = from
  for (const bytes of blocks) {
    if (end - from >= most) break
    end += bytes
  }
  return end
}
