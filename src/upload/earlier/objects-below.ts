import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'

/** What there is below a prefix, by the names below that. */
export async function objectsBelow(store: ObjectStore, prefix: string): Promise<Map<string, StoredObject>> {
  const found = new Map<string, StoredObject>()
  for await (const object of store.list(prefix)) found.set(object.key.slice(prefix.length), object)
  return found
}
