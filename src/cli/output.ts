import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { messageOf, PgbkError, systemCode } from '../errors.js'

/**
 * Writes to a stream and waits until it is taken. A reader that has closed its end (`pgbk list | head -1`) is not an error.
 * @throws {PgbkError} `failed` for any other fault, such as a full disk.
 */
export async function write(stream: Writable, text: string): Promise<void> {
  if (text === '' || stream.destroyed) return
  const end = new AbortController()
  try {
    const taken = new Promise<void>((resolve, reject) =>
      stream.write(text, (error) => (error ? reject(error) : resolve())),
    )
    const failed = once(stream, 'error', { signal: end.signal }).then(([error]) => Promise.reject(error))
    await Promise.race([taken, failed])
  } catch (cause) {
    if (systemCode(cause) === 'EPIPE') return
    throw new PgbkError('failed', `cannot write to standard output: ${messageOf(cause)}`, { cause })
  } finally {
    // Else node complains of the eleventh listener.
    end.abort()
  }
}
