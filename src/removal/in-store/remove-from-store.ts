import { PgbkError } from '../../errors.js'
import { keysOf } from '../../place/store/keys.js'
import type { KeptObject, ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { isPlainName } from '../../system/paths/inside.js'

/** What became of a backup that was to be removed. */
export interface RemovedThere {
  /** False where its record has to stay, and so all of it does. */
  isGone: boolean
  /** What Object Lock, or a legal hold, keeps. */
  kept: KeptObject[]
  /** Of what has gone. */
  bytes: number
}

/**
 * Removes a backup: its record first, from which on it is none, whatever happens then. What is left after a failure goes with the next
 * prune. What Object Lock keeps stays, and is told.
 * @throws {PgbkError} `failed` for one that is held since just now.
 */
export async function removeFromStore(store: ObjectStore, id: string): Promise<RemovedThere> {
  const { top, record, hold } = keysOf.backup(id)
  if (await store.stat(hold))
    throw new PgbkError('failed', `backup ${id} in ${store.name} is held since just now`)
  const keptRecord = await store.remove([record])
  if (keptRecord.length > 0) return { isGone: false, kept: keptRecord, bytes: 0 }
  return { isGone: true, ...(await removeAllBelow(store, top)) }
}

/**
 * What interrupted uploads have left goes, too; it is no object, and no object of its name is removed for it. What a store names beside
 * what it was asked for stays.
 * @returns what has to stay, and the bytes of what has gone.
 */
export async function removeAllBelow(
  store: ObjectStore,
  prefix: string,
): Promise<Pick<RemovedThere, 'kept' | 'bytes'>> {
  const objects = await sizesOf(store.list(prefix), prefix)
  const left = await sizesOf(store.unfinished(prefix), prefix)
  const kept = await store.remove([...objects.keys()])
  await store.discard([...left.keys()].filter((key) => !objects.has(key)))
  for (const { key } of kept) objects.delete(key)
  return { kept, bytes: sumOf(objects) + sumOf(left) }
}

async function sizesOf(found: AsyncIterable<StoredObject>, prefix: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  for await (const { key, bytes } of found)
    if (isBelow(key, prefix)) sizes.set(key, (sizes.get(key) ?? 0) + bytes)
  return sizes
}

/** Some programs put an empty object in the place of a directory, whose key ends with `/`. */
function isBelow(key: string, prefix: string): boolean {
  return key.startsWith(prefix) && isPlainName(key.replace(/\/$/, ''))
}

function sumOf(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
}
