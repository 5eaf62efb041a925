import { PgbkError } from '../../errors.js'

/** All of a small file. @throws {PgbkError} `damaged` where it has more bytes. */
export async function readUpTo(most: number, bytes: AsyncIterable<Buffer>, file: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of bytes) {
    length += piece.length
    if (length > most)
      throw new PgbkError('damaged', `${file} has more than ${most} bytes, which no such file has`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
