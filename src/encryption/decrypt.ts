import { type AgeHeader, damagedFile, headerIn } from './header.js'
import { openedChunks } from './opened-chunks.js'

/** The key of the payload behind a header. */
export type OpenHeader = (header: AgeHeader) => Promise<Buffer>

/**
 * What is in an encrypted file, as its bytes come, all of them.
 * @param file what errors call it.
 * @throws {PgbkError} `damaged` at a chunk that is not what was encrypted, and where the bytes end before the file does.
 */
export async function* decrypting(
  encrypted: AsyncIterable<Buffer>,
  openHeader: OpenHeader,
  file: string,
): AsyncGenerator<Buffer> {
  const pieces = encrypted[Symbol.asyncIterator]()
  try {
    const { header, rest } = await splitHeader(pieces, file)
    yield* openedChunks(following(rest, pieces), { key: await openHeader(header), file })
  } finally {
    await pieces.return?.()
  }
}

async function splitHeader(pieces: AsyncIterator<Buffer>, file: string) {
  let beginning: Buffer = Buffer.alloc(0)
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    beginning = Buffer.concat([beginning, next.value])
    const header = headerIn(beginning, file)
    if (header) return { header, rest: beginning.subarray(header.bytes) }
  }
  throw damagedFile(file, 'it is cut off in its header')
}

async function* following(first: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value
}
