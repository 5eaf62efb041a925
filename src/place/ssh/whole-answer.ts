import { PgbkError } from '../../errors.js'
import { formatBytes } from '../../text/format.js'

/** A list of five million files has some 500 MB. */
const mostBytes = 500 << 20

/**
 * What a script on another host has printed.
 * @param most bytes that such an answer can have.
 * @throws {PgbkError} `damaged` when it has more.
 */
export async function wholeAnswer(output: AsyncIterable<Buffer>, most = mostBytes): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of output) {
    pieces.push(piece)
    size += piece.length
    if (size > most)
      throw new PgbkError('damaged', `the other host answers with more than ${formatBytes(most)}`)
  }
  return Buffer.concat(pieces)
}
