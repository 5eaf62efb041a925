import { isId } from '../../catalog/id.js'
import type { Context } from '../../context.js'
import { keysOf } from '../../place/store/keys.js'
import type { KeptObject, ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { removeAllBelow } from './remove-from-store.js'
import { unlessDamaged } from './unless-damaged.js'

/** An upload that goes on has put something by then, and looks whether all is there before it puts its record. */
const forgottenAfterMs = 86_400_000
/** Each costs a round trip. */
const atOnce = 16

/** Of what uploads and removals have left that did not end: the ids, and what has to stay of it. */
export interface SweptThere {
  ids: string[]
  kept: KeptObject[]
}

/**
 * Removes what has no record, and to which nothing was added for a day by the store's clock; and beside a record what was sent in part,
 * and not gone on with for so long.
 * @param listed ids of backups whose records were read just now: a store that says then that there is none is not believed.
 * @param dryRun only look for it.
 */
export async function sweepStore(
  store: ObjectStore,
  { now, signal }: Pick<Context, 'now' | 'signal'>,
  { listed, dryRun }: { listed: ReadonlySet<string>; dryRun: boolean },
): Promise<SweptThere> {
  const swept: SweptThere = { ids: [], kept: [] }
  const unfinished = await unfinishedByBackup(store)
  if (!dryRun) swept.kept.push(...(await sweepProbes(store, [...unfinished.values()].flat(), now())))
  const ids = new Set([...(await store.directoriesIn(keysOf.backups)), ...unfinished.keys()])
  for (const id of [...ids].filter(isId).sort()) {
    signal.throwIfAborted()
    const { top, record } = keysOf.backup(id)
    const parts = unfinished.get(id) ?? []
    // What is odd there is not what an upload has left.
    if (await unlessDamaged(() => store.stat(record))) {
      if (!dryRun && isForgotten(parts, now())) await store.discard(parts.map(({ key }) => key))
      continue
    }
    if (listed.has(id) || !(await isLeft(store, id, parts, now()))) continue
    swept.ids.push(id)
    if (!dryRun) swept.kept.push(...(await removeAllBelow(store, top)).kept)
  }
  return swept
}

/** Of a doctor that was killed, or might not remove what it had put. */
async function sweepProbes(
  store: ObjectStore,
  unfinished: readonly StoredObject[],
  now: Date,
): Promise<KeptObject[]> {
  const left = unfinished.filter((one) => one.key.startsWith(keysOf.probes) && isForgotten([one], now))
  await store.discard(left.map(({ key }) => key))
  const keys: string[] = []
  for await (const probe of store.list(keysOf.probes)) if (isForgotten([probe], now)) keys.push(probe.key)
  return store.remove(keys)
}

async function isLeft(store: ObjectStore, id: string, parts: StoredObject[], now: Date): Promise<boolean> {
  const { top, record } = keysOf.backup(id)
  const there = [...parts]
  for await (const object of store.list(top)) there.push(object)
  if (there.some(({ key }) => key === record)) return false
  return isForgotten(there, now) && !(await isSentAnew(store, there, now))
}

/** A list may come late, and show what was there before an upload that goes on now. */
async function isSentAnew(store: ObjectStore, listed: StoredObject[], now: Date): Promise<boolean> {
  let isNew = false
  await inParallel(listed, atOnce, async ({ key }) => {
    const object = await store.stat(key)
    isNew ||= object !== undefined && !isForgotten([object], now)
  })
  return isNew
}

async function unfinishedByBackup(store: ObjectStore): Promise<Map<string, StoredObject[]>> {
  const found = new Map<string, StoredObject[]>()
  for await (const object of store.unfinished(keysOf.backups)) {
    const [id = ''] = object.key.slice(keysOf.backups.length).split('/')
    found.set(id, [...(found.get(id) ?? []), object])
  }
  return found
}

function isForgotten(objects: StoredObject[], now: Date): boolean {
  if (objects.length === 0) return false
  return now.getTime() - Math.max(...objects.map(({ changedAt }) => changedAt.getTime())) > forgottenAfterMs
}
