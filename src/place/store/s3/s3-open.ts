import type { Readable } from 'node:stream'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { PgbkError } from '../../../errors.js'
import type { FileRange } from '../../contract/place.js'
import type { S3Connection } from './s3-client.js'
import { isNothing, s3Failure } from './s3-failure.js'

/** Bytes of an object that are on their way. */
export interface OpenedObject {
  body: Readable
  /** Where in the object they end. */
  end: number
  tag: string | undefined
}

/**
 * Asks for bytes of an object: undefined for none, and for those behind its end.
 * @param tag of the object that is meant; another one that has taken its place is not.
 * @throws {PgbkError} `not-found`; `damaged` for other bytes; `failed` for another object; and what the client throws.
 */
export async function openObject(
  connection: S3Connection,
  key: string,
  range: FileRange,
  tag: string | undefined,
): Promise<OpenedObject | undefined> {
  const { sdk, bucket, prefix } = connection
  const asked = { Bucket: bucket, Key: prefix + key, Range: headerOf(range), IfMatch: tag }
  try {
    const answer = await connection.ask((client, options) =>
      client.send(new sdk.GetObjectCommand(asked), options),
    )
    return openedOf(answer, range, `${key} of s3://${bucket}`)
  } catch (error) {
    const { name, status } = s3Failure(error)
    if (status === 416 || name === 'InvalidRange') return undefined
    if (isNothing(error)) throw connection.gone(key)
    if (status === 412) throw changed(connection, key)
    throw error
  }
}

/** S3 has no way to ask for no bytes. */
function headerOf({ from, length }: FileRange): string | undefined {
  if (from === 0 && length === undefined) return undefined
  return `bytes=${from}-${length === undefined ? '' : from + Math.max(1, length) - 1}`
}

/** @throws {PgbkError} `damaged` for other bytes than those from there on. */
function openedOf(
  answer: GetObjectCommandOutput,
  { from, length = Number.POSITIVE_INFINITY }: FileRange,
  what: string,
): OpenedObject | undefined {
  const body = answer.Body as unknown as Readable
  const [, start = 0, last] = /^bytes (\d+)-(\d+)\//.exec(answer.ContentRange ?? '') ?? []
  const end = last === undefined ? answer.ContentLength : Number(last) + 1
  const isRight = Number(start) === from && (answer.ContentLength ?? end) === (end ?? 0) - from
  if (isRight && end !== undefined && length > 0)
    return { body, end: Math.min(end, from + length), tag: answer.ETag }
  body.destroy()
  if (isRight) return undefined
  throw new PgbkError('damaged', `the store sent other bytes of ${what} than it was asked for`, {
    hint: 'Is there a proxy or a cache in between that does not know ranges?',
  })
}

function changed({ bucket }: S3Connection, key: string): PgbkError {
  return new PgbkError('failed', `${key} of s3://${bucket} has changed while it was read`, {
    hint: 'Try again.',
  })
}
