import { PassThrough } from 'node:stream'
import { PgbkError } from '../../errors.js'

type Write = (bytes: Buffer) => Promise<void>

const held = 1 << 20

/**
 * Has one work write what another reads, at the reader's pace.
 * @throws what either throws; nothing goes on then.
 */
export async function piped<T>(
  produce: (write: Write) => Promise<void>,
  take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const pipe = new PassThrough({ highWaterMark: held })
  pipe.on('error', () => {}) // its reader is told, if there still is one
  const write: Write = async (bytes) => {
    if (pipe.destroyed) throw new PgbkError('failed', 'nobody reads any more')
    if (!pipe.write(bytes)) await drainOf(pipe)
  }
  const producing = produce(write).then(
    () => pipe.end(),
    (error) => pipe.destroy(error),
  )
  try {
    return await take(pipe)
  } finally {
    pipe.destroy()
    await producing
  }
}

/** Waits until more can be written, or nothing any more; never fails, for nobody may be waiting when an error comes. */
function drainOf(pipe: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      pipe.off('drain', done).off('close', done)
      resolve()
    }
    pipe.on('drain', done).on('close', done)
  })
}
