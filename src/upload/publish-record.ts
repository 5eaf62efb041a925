import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'
import { readObject } from '../place/store/read-object.js'
import { mostBytes } from '../system/files/read-small.js'

/** What a record tells of, as it was sent. */
export interface SentObjects {
  id: string
  store: ObjectStore
  /** Files that exactly one upload has made, by their keys: what lies there must be these when the record is there. */
  own: ReadonlyMap<string, StoredObject>
  /** Keys that must be there, whoever has put them. */
  needed: readonly string[]
}

/** So long somebody who has put a record needs at most to see that another's files lie there, and to take it back. */
const [attempts, pauseMs] = [10, 1000]

/**
 * Puts the record of a backup, by which it is listed. Two who upload the same one do not harm each other: whoever has put a record looks once
 * more whether its own files lie there, and takes it back where they do not; whoever finds a record of somebody else, and its own files, waits
 * for that.
 * @returns whether it was put; else the backup is there by somebody else's upload.
 * @throws {PgbkError} `failed` when somebody else's files lie there without a record.
 */
export async function publishRecord(record: Buffer, sent: SentObjects, context: Context): Promise<boolean> {
  const { store, id } = sent
  const key = keysOf.backup(id).record
  for (let attempt = 1; ; attempt++) {
    context.signal.throwIfAborted()
    const fault = await faultIn(sent)
    if (fault === undefined && (await store.put(key, record, true))) return checkPut(key, record, sent)
    const there = await readObject(store, key, mostBytes.record)
    if (fault !== undefined) {
      if (there) return false
      throw replaced(sent, fault)
    }
    // Its own, by an upload that was killed before it was told.
    if (there?.equals(record)) return true
    // Whoever has put it has ended without a look: it tells of files that are not there.
    if (attempt >= attempts) await store.remove([key])
    else await sleep(pauseMs)
  }
}

/** @returns true: the backup is there. @throws {PgbkError} `failed` when it is not, and takes the record back. */
async function checkPut(key: string, record: Buffer, sent: SentObjects): Promise<true> {
  const fault = await faultIn(sent)
  if (fault === undefined) return true
  const there = await readObject(sent.store, key, mostBytes.record)
  if (there?.equals(record)) await sent.store.remove([key])
  throw replaced(sent, fault)
}

/** What is not as it was sent. */
async function faultIn({ id, store, own, needed }: SentObjects): Promise<string | undefined> {
  const found = new Map<string, StoredObject>()
  for await (const object of store.list(keysOf.backup(id).top)) found.set(object.key, object)
  // A list may come late.
  const look = async (key: string) => found.get(key) ?? (await store.stat(key))
  for (const [key, object] of own) {
    const now = await look(key)
    if (!now) return `${key} is no longer there`
    if (!isSameObject(now, object)) return `${key} is another one by now`
  }
  for (const key of needed) if (!(await look(key))) return `${key} is no longer there`
  return undefined
}

/** By the store's own word where it has one: the times of objects that were sent in parts may be those of their beginning. */
export function isSameObject(one: StoredObject, other: StoredObject): boolean {
  if (one.bytes !== other.bytes) return false
  return one.tag !== undefined && other.tag !== undefined
    ? one.tag === other.tag
    : one.changedAt.getTime() === other.changedAt.getTime()
}

function replaced({ id, store }: SentObjects, what: string): PgbkError {
  return new PgbkError('failed', `${id} was not uploaded to ${store.name}: ${what}`, {
    hint: 'Another pgbk uploads the same backup, or removes what uploads have left. Try again.',
  })
}
