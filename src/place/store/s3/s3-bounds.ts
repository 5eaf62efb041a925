import { pipeline, type Readable, Transform } from 'node:stream'
import { PgbkError } from '../../../errors.js'
import { mostListed } from '../../contract/listing.js'

/** What a page of a list has at most: as much is an empty one counted for, so that none go on for ever. */
const fullPage = 1000

/**
 * Counts what the pages of a list have.
 * @param what is listed.
 * @throws {PgbkError} `damaged` for more than anybody has.
 */
export function countPages(bucket: string, what: string, most = mostListed) {
  let count = 0
  return (entries: number): void => {
    count += entries || fullPage
    if (count > most) throw new PgbkError('damaged', `s3://${bucket} lists more than ${most} ${what}`)
  }
}

/** A page of a list, with names of 1,024 bytes that XML makes six times as long, has a tenth of this. */
const mostAnswered = 64 << 20

/** An answer that the client reads into memory, which breaks off with `damaged` where it is too long. */
export function boundedAnswer(body: Readable): Readable {
  let bytes = 0
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      done(bytes > mostAnswered ? tooLong() : null, chunk)
    },
  })
  // It is the bounded one that fails.
  return pipeline(body, bounded, () => {})
}

function tooLong(): Error {
  const error = new PgbkError('damaged', `the store answers with more than ${mostAnswered >> 20} MiB`, {
    hint: 'Is it really a store, or something in between that speaks for it?',
  })
  // What has none the client explains by a text of its own.
  return Object.assign(error, { $metadata: {} })
}
