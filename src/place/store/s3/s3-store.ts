import type { Context } from '../../../context.js'
import { PgbkError } from '../../../errors.js'
import type { ObjectStore, Sendable, StoredObject } from '../object-store.js'
import { connectS3, type S3Connection } from './s3-client.js'
import { s3Failure } from './s3-failure.js'
import { directoriesInS3, listS3 } from './s3-list.js'
import { bytesOf, partSizeOf } from './s3-parts.js'
import { readS3 } from './s3-read.js'
import { removeFromS3 } from './s3-remove.js'
import { sendInParts, sendWhole } from './s3-send.js'
import type { S3Bucket, S3Settings } from './s3-settings.js'
import { statIfAllowed, statInS3 } from './s3-stat.js'
import { abortUploads, unfinishedInS3 } from './s3-uploads.js'

/**
 * A store in a bucket of Amazon S3, or of whatever speaks the same. With credentials as every S3 tool takes them; those that may only
 * write can still send.
 * @param name as the user wrote it.
 * @throws {PgbkError} `config`.
 */
export async function s3Store(
  bucket: S3Bucket,
  settings: S3Settings,
  context: Context,
  name = `s3://${bucket.bucket}/${bucket.prefix}`.replace(/\/$/, ''),
): Promise<ObjectStore> {
  const connection = await connectS3(bucket, settings, context)
  const located = (key: string) => `s3://${bucket.bucket}/${bucket.prefix}${key}`
  return {
    name,
    directory: undefined,
    locationOf: located,
    list: (prefix) => listS3(connection, prefix),
    directoriesIn: (prefix) => directoriesInS3(connection, prefix),
    stat: (key) => statInS3(connection, key),
    read: (key, range, take) => readS3(connection, key, range, take),
    put: (key, bytes, ifAbsent) => put(connection, key, bytes, ifAbsent),
    send: (key, what, onBytes) => send(connection, key, what, settings, onBytes),
    remove: (keys) => removeFromS3(connection, keys),
    unfinished: (prefix) => unfinishedInS3(connection, prefix),
    discard: (keys) => abortUploads(connection, keys),
    close: async () => connection.close(),
  }
}

/** Not all stores refuse to put in the place of another, and some say nothing of it: so it is looked for first. */
async function put(connection: S3Connection, key: string, bytes: Buffer, ifAbsent = false): Promise<boolean> {
  const there = ifAbsent ? await statIfAllowed(connection, key) : undefined
  if (typeof there === 'object') return false
  try {
    await sendWhole(connection, key, bytes, { isOnlyIfAbsent: ifAbsent })
    return true
  } catch (error) {
    const { status, attempts } = s3Failure(error)
    if (ifAbsent && status === 412) {
      if (there !== 'unknown' || attempts === 1) return false
      throw new PgbkError(
        'unreachable',
        `s3://${connection.bucket} has not said whether it was this that wrote ${key}`,
        {
          hint: 'Try again: the next upload knows that it may have been.',
        },
      )
    }
    throw connection.explain(error, `write ${key}`)
  }
}

async function send(
  connection: S3Connection,
  key: string,
  what: Sendable,
  settings: S3Settings,
  onBytes: (bytes: number) => void,
): Promise<StoredObject> {
  let tag: string | undefined
  if (what.bytes > partSizeOf(what.bytes, settings))
    tag = await sendInParts(connection, key, what, settings, onBytes)
  else {
    const bytes = await bytesOf(what, { number: 1, from: 0, length: what.bytes })
    tag = await sendWhole(connection, key, bytes, { storageClass: settings.storage_class }).catch((error) =>
      Promise.reject(connection.explain(error, `send ${key}`)),
    )
    onBytes(what.bytes)
  }
  const found = await statIfAllowed(connection, key)
  if (found === 'unknown') return { key, bytes: what.bytes, changedAt: new Date(), tag }
  if (found?.bytes === what.bytes && (tag === undefined || found.tag === tag)) return found
  throw new PgbkError(
    'failed',
    `${key} in s3://${connection.bucket} is not what was sent: ${differenceOf(found, what.bytes)}`,
    {
      hint: 'Try again. Does somebody else send the same?',
    },
  )
}

function differenceOf(found: StoredObject | undefined, bytes: number): string {
  if (found?.bytes === bytes) return `${bytes} other bytes`
  return found ? `${found.bytes} of ${bytes} bytes` : 'nothing is there'
}
