import { PgbkError } from '../../../errors.js'
import type { StoredObject } from '../object-store.js'
import type { S3Connection } from './s3-client.js'
import { isForbidden, isNothing } from './s3-failure.js'
import { isSize, tagOf } from './s3-list.js'

export async function statInS3(connection: S3Connection, key: string): Promise<StoredObject | undefined> {
  try {
    return await look(connection, key)
  } catch (error) {
    throw connection.explain(error, `look for ${key}`)
  }
}

/** The same; `unknown` where these credentials may only write. */
export async function statIfAllowed(
  connection: S3Connection,
  key: string,
): Promise<StoredObject | 'unknown' | undefined> {
  try {
    return await look(connection, key)
  } catch (error) {
    if (isForbidden(error)) return 'unknown'
    throw connection.explain(error, `look for ${key}`)
  }
}

/** All that a store says of an object. @throws what the client throws. */
export function headOf({ sdk, bucket, prefix, ask }: S3Connection, key: string) {
  return ask((client, options) =>
    client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: prefix + key }), options),
  )
}

async function look(connection: S3Connection, key: string): Promise<StoredObject | undefined> {
  try {
    const found = await headOf(connection, key)
    const bytes = found.ContentLength
    if (!isSize(bytes))
      throw new PgbkError('failed', `s3://${connection.bucket} does not say how large ${key} is`)
    return { key, bytes, changedAt: found.LastModified ?? new Date(), tag: tagOf(found.ETag) }
  } catch (error) {
    if (isNothing(error)) return undefined
    throw error
  }
}
