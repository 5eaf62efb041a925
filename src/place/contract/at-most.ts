import { PgbkError } from '../../errors.js'

/**
 * What a host sends, which may be more than it was asked for: that ends here, before anybody keeps it.
 * @param length in bytes; undefined where all there is was asked for.
 * @param what for the message.
 * @throws {PgbkError} `damaged` when more comes.
 */
export async function* atMost(
  pieces: AsyncIterable<Buffer>,
  length: number | undefined,
  what: string,
): AsyncGenerator<Buffer> {
  let left = length ?? Number.POSITIVE_INFINITY
  for await (const piece of pieces) {
    left -= piece.length
    if (left < 0)
      throw new PgbkError('damaged', `more bytes of ${what} came than the ${length} that were asked for`)
    yield piece
  }
}
