import { inParallel } from '../../../system/files/in-parallel.js'
import type { KeptObject } from '../object-store.js'
import type { S3Connection } from './s3-client.js'
import { isForbidden, isNothing, isNotSupported, s3Failure } from './s3-failure.js'
import { headOf } from './s3-stat.js'
import { abortUploads } from './s3-uploads.js'

/** Not all stores know how to remove several at once. */
const atOnce = 16

/** Removes objects, but for those that Object Lock or a legal hold keeps. */
export async function removeFromS3(connection: S3Connection, keys: readonly string[]): Promise<KeptObject[]> {
  const kept: KeptObject[] = []
  if (keys.length === 0) return kept
  const mayLock = await canLock(connection)
  await inParallel(keys, atOnce, async (key) => {
    // One with versions would hide what is kept, and seem to have removed it.
    const lock = mayLock ? await lockOf(connection, key) : undefined
    if (lock) return void kept.push(lock)
    const refused = await removeOne(connection, key)
    if (refused) kept.push((await lockOf(connection, key)) ?? { key, until: undefined })
  })
  await abortUploads(connection, keys)
  return kept
}

/** Whether it is kept. */
async function removeOne(connection: S3Connection, key: string): Promise<boolean> {
  const { sdk, bucket, prefix } = connection
  const asked = { Bucket: bucket, Key: prefix + key }
  try {
    await connection.ask((client, options) => client.send(new sdk.DeleteObjectCommand(asked), options))
    return false
  } catch (error) {
    if (isNothing(error)) return false
    const { name, message } = s3Failure(error)
    if (
      /AccessDenied|ObjectLocked|InvalidRequest/.test(name) &&
      /\block|WORM|retention|legal hold/i.test(message)
    )
      return true
    throw connection.explain(error, `remove ${key}`)
  }
}

/** Whether objects of the bucket may be locked; they may where that cannot be known. */
async function canLock(connection: S3Connection): Promise<boolean> {
  const { sdk, bucket } = connection
  try {
    const { ObjectLockConfiguration } = await connection.ask((client, options) =>
      client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket }), options),
    )
    return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
  } catch (error) {
    if (hasNoLocks(error)) return false
    // Each object is asked then.
    if (isForbidden(error) || isNothing(error)) return true
    throw connection.explain(error, 'find out whether objects are locked')
  }
}

/** Whether a store says that nothing is locked in this bucket, or that it has no such thing. */
function hasNoLocks(error: unknown): boolean {
  const { name, status, message } = s3Failure(error)
  if (/^(ObjectLockConfigurationNotFound(Error)?|NoSuchObjectLockConfiguration)$/.test(name)) return true
  // Google's: "Invalid query parameter(s): [object-lock]".
  if (status === 400 && name === 'InvalidArgument') return true
  return isNotSupported(error) || (name === 'InvalidRequest' && /missing Object ?Lock/i.test(message))
}

async function lockOf(connection: S3Connection, key: string): Promise<KeptObject | undefined> {
  try {
    const found = await headOf(connection, key)
    const until = found.ObjectLockRetainUntilDate
    const isRetained = until !== undefined && until.getTime() > Date.now()
    if (!isRetained && found.ObjectLockLegalHoldStatus !== 'ON') return undefined
    return { key, until: found.ObjectLockLegalHoldStatus === 'ON' ? undefined : until }
  } catch (error) {
    if (isNothing(error) || s3Failure(error).status === 403) return undefined
    throw connection.explain(error, `look for ${key}`)
  }
}
