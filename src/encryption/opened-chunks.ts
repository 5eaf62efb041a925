import { openChunk, sealedChunkBytes } from './chunks.js'
import { damagedFile } from './header.js'
import { regroup } from './regroup.js'

/** Whose chunks are opened. */
export interface SealedFile {
  /** Of its payload. */
  key: Buffer
  /** What errors call it. */
  file: string
}

/** Which chunks come: from which number on, and how many where not all to its end. */
interface Awaited {
  first?: number
  count?: number
  /** Where none has come: throws when there should have been one. */
  ifNone?: () => Promise<void>
}

/**
 * What is in chunks, as they come. Whether one is the last is not known before, but its tag tells: it opens as the one or as the other.
 * @throws {PgbkError} `damaged` at a chunk that is not what was encrypted, and where they end without the last one.
 */
export async function* openedChunks(
  sealed: AsyncIterable<Buffer>,
  { key, file }: SealedFile,
  { first = 0, count = Number.POSITIVE_INFINITY, ifNone }: Awaited = {},
): AsyncGenerator<Buffer> {
  let [index, isEnded] = [first, false]
  for await (const chunk of regroup(sealed, sealedChunkBytes)) {
    if (isEnded) throw damagedFile(file, 'more follows behind its end')
    const inner = chunk.length === sealedChunkBytes ? openChunk(key, index, false, chunk) : undefined
    const plain = inner ?? openChunk(key, index, true, chunk)
    if (plain === undefined) throw notAsEncrypted(file, index, chunk.length)
    isEnded = inner === undefined
    index += 1
    yield plain
  }
  if (index === first && ifNone) await ifNone()
  else if (!isEnded && index < first + count) throw damagedFile(file, 'it is cut off')
}

function notAsEncrypted(file: string, index: number, length: number) {
  const isCut = length < sealedChunkBytes ? ', or it is cut off there' : ''
  return damagedFile(file, `its chunk ${index} of 64 KiB is not what was encrypted${isCut}`)
}
