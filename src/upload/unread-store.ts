import { factsOf, PgbkError } from '../errors.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'

/** A store whose credentials may only write: what is there is what has been sent to it, as long as this lasts. */
export function unreadStore(store: ObjectStore): ObjectStore {
  const sent = new Map<string, StoredObject>()
  const small = new Map<string, Buffer>()
  return {
    ...store,
    async *list(prefix) {
      for (const object of sent.values()) if (object.key.startsWith(prefix)) yield object
    },
    directoriesIn: async () => [],
    async *unfinished() {},
    stat: async (key) => sent.get(key),
    async read(key, { from, length }, take) {
      const bytes = small.get(key)
      if (!bytes) throw new PgbkError('not-found', `${store.locationOf(key)} may not be read`)
      return take(
        (async function* () {
          yield bytes.subarray(from, length === undefined ? undefined : from + length)
        })(),
      )
    },
    async put(key, bytes, ifAbsent) {
      if (!(await store.put(key, bytes, ifAbsent))) return false
      small.set(key, bytes)
      sent.set(key, { key, bytes: bytes.length, changedAt: new Date() })
      return true
    },
    async send(key, what, onBytes) {
      const object = await store.send(key, what, onBytes)
      sent.set(key, object)
      return object
    },
    async remove(keys) {
      for (const key of keys) sent.delete(key)
      return store.remove(keys).catch((error) => {
        if (factsOf(error).kind === 'access-denied') return []
        throw error
      })
    },
  }
}
