import { PgbkError } from '../../../errors.js'
import type { S3Connection } from './s3-client.js'
import { isPassing, s3Failure } from './s3-failure.js'
import { tagOf } from './s3-list.js'
import { statIfAllowed } from './s3-stat.js'

/** What an upload in parts is to become. */
interface Whole {
  key: string
  uploadId: string
  /** Of its parts, in their order. */
  tags: readonly string[]
  bytes: number
  /** The tag that it must have then, where that is known. */
  expected: string | undefined
}

/**
 * Puts the parts of an upload together. Whoever has not heard that this was done is told that there is no such upload: the object is looked
 * for before anything is believed to be missing.
 * @throws what the client throws; `unreachable` for an answer that says nothing.
 */
export async function completeUpload(connection: S3Connection, whole: Whole): Promise<void> {
  const { sdk, bucket, prefix } = connection
  const Parts = whole.tags.map((tag, index) => ({ PartNumber: index + 1, ETag: `"${tag}"` }))
  const upload = { Bucket: bucket, Key: prefix + whole.key, UploadId: whole.uploadId }
  try {
    const { ETag } = await connection.askPatiently((client, options) =>
      client.send(new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), options),
    )
    if (!tagOf(ETag)) throw saidNothing(bucket, whole.key)
  } catch (error) {
    if (!mayBeDone(error) || !(await isThere(connection, whole))) throw error
  }
}

function mayBeDone(error: unknown): boolean {
  return error instanceof PgbkError || s3Failure(error).name === 'NoSuchUpload' || isPassing(error)
}

async function isThere(connection: S3Connection, { key, bytes, expected }: Whole): Promise<boolean> {
  if (expected === undefined) return false
  const found = await statIfAllowed(connection, key)
  return typeof found === 'object' && found.bytes === bytes && found.tag === expected
}

function saidNothing(bucket: string, key: string): PgbkError {
  return new PgbkError(
    'unreachable',
    `s3://${bucket} has not said whether the parts of ${key} are one object`,
    {
      hint: 'Try again: what has arrived is not sent again.',
    },
  )
}
