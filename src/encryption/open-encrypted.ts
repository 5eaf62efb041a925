import { chunkBytes, sealedChunkBytes } from './chunks.js'
import type { OpenHeader } from './decrypt.js'
import { type AgeHeader, damagedFile, headerIn, mostHeaderBytes } from './header.js'
import { openedChunks, type SealedFile } from './opened-chunks.js'

/** Reads bytes of a file, from an offset on, so many or to its end: fewer, or none, where it is shorter. */
export type ReadRange = <T>(
  range: { from: number; length?: number },
  take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
) => Promise<T>

/**
 * Reads what is in an encrypted file, from anywhere: only the chunks that have it come, and each is checked.
 * @param read reads the file as it lies.
 * @param file what errors call it.
 * @returns what reads its contents; it throws `damaged` as `decrypting` does, also where the file ends too early.
 * @throws {PgbkError} `damaged`, and what `openHeader` throws.
 */
export async function openEncrypted(
  read: ReadRange,
  openHeader: OpenHeader,
  file: string,
): Promise<ReadRange> {
  const header = await readHeader(read, file)
  const sealed = { file, key: await openHeader(header) }
  const start = header.bytes
  const ifNone = () => checkEnd(read, start, sealed)
  return ({ from, length }, take) => {
    const first = Math.floor(from / chunkBytes)
    const chunks = { from: start + first * sealedChunkBytes }
    if (length === undefined)
      return read(chunks, (bytes) => take(openedRange(bytes, sealed, { from, first, ifNone })))
    const count = Math.max(1, Math.ceil((from + length) / chunkBytes) - first)
    const range = { from, length, first, count, ifNone }
    return read({ ...chunks, length: count * sealedChunkBytes }, (bytes) =>
      take(openedRange(bytes, sealed, range)),
    )
  }
}

interface OpenedRange {
  from: number
  length?: number
  first: number
  count?: number
  ifNone: () => Promise<void>
}

async function* openedRange(bytes: AsyncIterable<Buffer>, sealed: SealedFile, range: OpenedRange) {
  const { from, length = Number.POSITIVE_INFINITY, first } = range
  let at = first * chunkBytes
  for await (const chunk of openedChunks(bytes, sealed, range)) {
    const wanted = chunk.subarray(Math.max(0, from - at), Math.max(0, from + length - at))
    at += chunk.length
    if (wanted.length > 0) yield wanted
  }
}

/** Whether a file ends where it was encrypted to its end: only its last chunk tells, and where that is was not told. */
function checkEnd(read: ReadRange, start: number, sealed: SealedFile): Promise<void> {
  return read({ from: start }, async (bytes) => {
    for await (const _chunk of openedChunks(bytes, sealed));
  })
}

/** What most headers have. */
const firstRead = 4 << 10

async function readHeader(read: ReadRange, file: string): Promise<AgeHeader> {
  for (const length of [firstRead, mostHeaderBytes]) {
    const beginning = await read({ from: 0, length }, async (bytes) => {
      const pieces: Buffer[] = []
      for await (const piece of bytes) pieces.push(piece)
      return Buffer.concat(pieces)
    })
    const header = headerIn(beginning, file)
    if (header) return header
    if (beginning.length < length) break
  }
  throw damagedFile(file, 'it is cut off in its header')
}
