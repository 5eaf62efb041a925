import { PgbkError } from '../../errors.js'
import type { ObjectStore } from './object-store.js'
import { readBeginning } from './read-object.js'

/**
 * Puts a small object, and reads it again: for what somebody relies on, and nobody would miss.
 * @throws {PgbkError} `failed` where the store does not have it then; as `ObjectStore.put`.
 */
export async function putSeen(store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  await store.put(key, bytes)
  const there = await readBeginning(store, key, bytes.length + 1)
  if (there?.equals(bytes)) return
  const what = there ? 'has another text than was put there' : 'was put there, and is not there'
  throw new PgbkError('failed', `${store.locationOf(key)} ${what}`, {
    hint: 'Try again. If that does not help, the store does not keep what it is given: look at its rules and its own log.',
  })
}
