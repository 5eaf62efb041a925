import { setTimeout as sleep } from 'node:timers/promises'
import { PgbkError } from '../../../errors.js'
import type { FileRange } from '../../contract/place.js'
import { leastAtATime, unstalled } from '../../contract/unstalled.js'
import type { S3Connection } from './s3-client.js'
import { isPassing } from './s3-failure.js'
import { type OpenedObject, openObject } from './s3-open.js'

/** How often in a row nothing at all may come. */
const mostFailures = 6
const firstPauseMs = 100

/**
 * Reads bytes of an object, and goes on where a connection breaks off, for as long as it is the same object. What comes is counted: a
 * body that ends early is asked for again.
 * @throws {PgbkError} as `openObject`; `unreachable`.
 */
export async function readS3<T>(
  connection: S3Connection,
  key: string,
  range: FileRange,
  take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const first = await openObject(connection, key, range, undefined).catch((error) =>
    Promise.reject(connection.explain(error, `read ${key}`)),
  )
  return take(first === undefined ? nothing() : pieces(connection, key, range.from, first))
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function* pieces(
  connection: S3Connection,
  key: string,
  from: number,
  first: OpenedObject,
): AsyncGenerator<Buffer> {
  const { end, tag } = first
  let [at, failures] = [from, 0]
  for (let opened: OpenedObject | undefined = first; at < end; opened = undefined) {
    const before = at
    try {
      opened ??= await openObject(connection, key, { from: at, length: end - at }, tag)
      for await (const piece of bodyOf(opened, connection)) {
        const wanted = piece.subarray(0, end - at)
        at += wanted.length
        yield wanted
        if (at === end) return
      }
      throw new PgbkError('unreachable', `${key} of s3://${connection.bucket} ended early`)
    } catch (error) {
      failures = at - before >= leastAtATime ? 0 : failures + 1
      if (!mayPass(error, failures)) throw connection.explain(error, `read ${key}`)
    } finally {
      opened?.body.destroy()
    }
    await pause(connection, failures)
  }
}

/** What breaks off a body has as many names as there are ways to. */
function mayPass(error: unknown, failures: number): boolean {
  if (failures >= mostFailures) return false
  if (error instanceof PgbkError) return error.code === 'unreachable'
  const { name = '' } = (error ?? {}) as { name?: string }
  return isPassing(error) || ['Error', 'AbortError', 'TimeoutError'].includes(name)
}

async function pause({ signal }: S3Connection, failures: number): Promise<void> {
  await sleep(firstPauseMs * 2 ** failures, undefined, { signal }).catch(() => signal.throwIfAborted())
}

function bodyOf(opened: OpenedObject | undefined, { stallMs }: S3Connection): AsyncGenerator<Buffer> {
  if (opened === undefined) return nothing()
  const late = () =>
    new PgbkError('unreachable', `the store has sent next to nothing for ${stallMs / 1000} s`)
  return unstalled(opened.body, stallMs, late)
}
