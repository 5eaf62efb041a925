import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordSummary } from '../catalog/record.js'
import type { Context } from '../context.js'
import { factsOf, PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'
import { readObject } from '../place/store/read-object.js'
import { mostBytes } from '../system/files/read-small.js'
import { summaryIn } from './check-store-cluster.js'
import type { SentFile } from './wrapping/wrapping.js'

/** What a record tells of, as it was sent. */
export interface SentObjects {
  id: string
  store: ObjectStore
  /** Files that exactly one upload has made, by their keys: what lies there must be these when the record is there. */
  own: ReadonlyMap<string, StoredObject>
  /** Keys that must be there, whoever has put them. */
  needed: readonly string[]
}

const attempts = 10

/**
 * Puts the record of a backup, by which it is listed. Two who upload the same one do not harm each other: a record that does not tell of
 * what lies there is removed, by whoever has put it and looks once more, or by whose files these are.
 * @returns whether it was put; else the backup is there by somebody else's upload.
 * @throws {PgbkError} `failed` when somebody else's files lie there without a record, or somebody else does the same again and again.
 */
export async function publishRecord(record: Buffer, sent: SentObjects, context: Context): Promise<boolean> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    context.signal.throwIfAborted()
    // Whoever has put another takes its own back, and must not take this one.
    const isPublished = await tryToPublish(record, sent, attempt === 1 ? 0 : context.tickMs)
    if (isPublished !== undefined) return isPublished
  }
  throw replaced(sent, 'another record is put there again and again')
}

/** @returns undefined where a record was there that did not tell of these files, or the own one has gone. */
async function tryToPublish(
  record: Buffer,
  sent: SentObjects,
  pauseMs: number,
): Promise<boolean | undefined> {
  const { store, id } = sent
  const key = keysOf.backup(id).record
  if ((await faultIn(sent)) === undefined && (await store.put(key, record, true))) await sleep(pauseMs)
  const fault = await faultIn(sent)
  const there = await readObject(store, key, mostBytes.record)
  const isOwn = there?.equals(record) ?? false
  if (fault === undefined) {
    // Its own it is also by an upload that was killed before it was told.
    if (there && !isOwn) await withdraw(sent)
    return isOwn || undefined
  }
  if (there && !isOwn) return false
  if (isOwn) await withdraw(sent)
  throw replaced(sent, fault)
}

/** Removes a record that another upload has put, where it does not tell of the image that was sent: nobody is to read by it. */
export async function withdrawOther(
  image: SentFile,
  { id }: { id: string },
  store: ObjectStore,
): Promise<void> {
  const key = keysOf.backup(id).record
  const there = await readObject(store, key, mostBytes.record)
  if (there && imageToldBy(summaryIn(there), image.name) !== image.sha256) await withdraw({ id, store })
}

/** @throws {PgbkError} `failed` where the record has to stay, which tells of what is no longer there. */
async function withdraw({ id, store }: Pick<SentObjects, 'id' | 'store'>): Promise<void> {
  const key = keysOf.backup(id).record
  const [kept] = await store.remove([key]).catch((error) => {
    if (factsOf(error).kind === 'access-denied') return [{ key, until: undefined }]
    throw error
  })
  if (!kept) return
  const until = kept.until ? ` before ${kept.until.toISOString()}` : ''
  throw new PgbkError(
    'failed',
    `${store.locationOf(key)} tells of files that another upload has sent, which are no longer there, and may not be removed${until}`,
    {
      hint: `Nobody can restore ${id} from ${store.name} until it is removed, by credentials that may, and the backup is uploaded again. Let only one root upload a backup.`,
    },
  )
}

/** The SHA-256 of the image as it lies, by the record's word. */
function imageToldBy(summary: RecordSummary | undefined, name: string): string | undefined {
  return summary?.packed?.sha256 ?? summary?.encrypted?.files[name]?.sha256
}

/** What is not as it was sent. */
async function faultIn({ id, store, own, needed }: SentObjects): Promise<string | undefined> {
  const found = new Set<string>()
  for await (const object of store.list(keysOf.backup(id).top)) found.add(object.key)
  // A list may come late, and show what was there before.
  for (const [key, object] of own) {
    const now = await store.stat(key)
    if (!now) return `${key} is no longer there`
    if (!isSameObject(now, object)) return `${key} is another one by now`
  }
  for (const key of needed)
    if (!found.has(key) && !(await store.stat(key))) return `${key} is no longer there`
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
