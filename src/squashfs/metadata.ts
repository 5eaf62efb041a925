import { decompress } from 'fzstd'
import { PgbkError } from '../errors.js'

/** Reads bytes of an image: fewer only where it ends. */
export type ReadImage = (position: number, length: number) => Promise<Buffer>

/** Of what is in a block of metadata. */
const blockBytes = 8192
const headerBytes = 2
const isPlain = 0x8000
/** 16 MB: whoever made the image may have made it endless. */
const mostBlocks = 2048

interface MetadataBlock {
  bytes: Buffer
  /** Where the next one begins. */
  next: number
}

/** The tables of an image, which lie there in blocks that are compressed one by one. */
export interface Metadata {
  /**
   * @param block where the block begins, in the image.
   * @param offset in what is in it.
   * @throws {PgbkError} `damaged`.
   */
  read(block: number, offset: number, length: number): Promise<Buffer>
}

export function metadataOf(image: ReadImage): Metadata {
  const known = new Map<number, Promise<MetadataBlock>>()
  const blockAt = (position: number) => {
    if (known.size > mostBlocks) throw oddImage('it has more metadata than is looked at')
    const block = known.get(position) ?? readBlock(image, position)
    known.set(position, block)
    return block
  }
  return {
    async read(block, offset, length) {
      const parts: Buffer[] = []
      let [at, from, missing] = [block, offset, length]
      while (missing > 0) {
        const { bytes, next } = await blockAt(at)
        const part = bytes.subarray(from, from + missing)
        if (part.length === 0) throw oddImage(`a block of metadata at ${at} is too short`)
        parts.push(part)
        missing -= part.length
        from = 0
        at = next
      }
      return Buffer.concat(parts)
    },
  }
}

async function readBlock(image: ReadImage, position: number): Promise<MetadataBlock> {
  const header = (await exactly(image, position, headerBytes)).readUInt16LE(0)
  const length = header & ~isPlain
  if (length === 0 || length > blockBytes) throw oddImage(`no block of metadata has ${length} bytes`)
  const stored = await exactly(image, position + headerBytes, length)
  return {
    bytes: header & isPlain ? stored : unpacked(stored, position),
    next: position + headerBytes + length,
  }
}

/** @throws {PgbkError} `damaged` where the image ends before. */
export async function exactly(image: ReadImage, position: number, length: number): Promise<Buffer> {
  const bytes = await image(position, length)
  if (bytes.length === length) return bytes
  throw oddImage(`it has fewer than ${length} bytes from ${position} on`)
}

function unpacked(stored: Buffer, position: number): Buffer {
  try {
    const bytes = decompress(stored, new Uint8Array(blockBytes))
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  } catch (cause) {
    throw oddImage(`a block of metadata at ${position} is not zstd`, cause)
  }
}

export function oddImage(problem: string, cause?: unknown): PgbkError {
  return new PgbkError('damaged', `the image is not squashfs as it should be: ${problem}`, { cause })
}
