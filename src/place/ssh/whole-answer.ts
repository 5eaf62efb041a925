import { PgbkError } from '../../errors.js'
import { formatBytes } from '../../text/format.js'

/** A list of five million files has some 500 MB. */
const mostBytes = 500 << 20

/** What a script on another host has printed. @throws {PgbkError} `damaged` when it does not end where any answer would. */
export async function wholeAnswer(output: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of output) {
    pieces.push(piece)
    size += piece.length
    if (size > mostBytes)
      throw new PgbkError('damaged', `the other host answers with more than ${formatBytes(mostBytes)}`)
  }
  return Buffer.concat(pieces)
}
