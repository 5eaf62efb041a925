import { PgbkError } from '../../errors.js'
import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'
import type { Parcel } from './wrapping.js'

/** @throws {PgbkError} `failed` when the store has not got all of it. */
export async function sendParcel(
  { name, what }: Parcel,
  prefix: string,
  store: ObjectStore,
  onBytes: (bytes: number) => void = () => {},
): Promise<StoredObject> {
  const object = await store.send(`${prefix}${name}`, what, onBytes)
  if (object.bytes === what.bytes) return object
  throw new PgbkError(
    'failed',
    `${store.locationOf(object.key)} has ${object.bytes} bytes instead of the ${what.bytes} that were sent`,
    { hint: 'Try again. If it is so once more, the store, or a proxy on the way to it, loses data.' },
  )
}
