import { isId } from '../../catalog/id.js'
import type { Context } from '../../context.js'
import { keysOf } from '../../place/store/keys.js'
import type { KeptObject, ObjectStore } from '../../place/store/object-store.js'
import { removeAllBelow } from './remove-from-store.js'

/** An upload that goes on has put something by then, and looks whether all is there before it puts its record. */
const forgottenAfterMs = 86_400_000

/** Of what uploads and removals have left that did not end: the ids, and what has to stay of it. */
export interface SweptThere {
  ids: string[]
  kept: KeptObject[]
}

/** Removes what has no record, and to which nothing was added for a day by the store's clock. @param dryRun only look for it. */
export async function sweepStore(
  store: ObjectStore,
  { now, signal }: Pick<Context, 'now' | 'signal'>,
  { dryRun }: { dryRun: boolean },
): Promise<SweptThere> {
  const swept: SweptThere = { ids: [], kept: [] }
  for (const id of (await store.directoriesIn(keysOf.backups)).filter(isId).sort()) {
    signal.throwIfAborted()
    const { top, record } = keysOf.backup(id)
    if ((await store.stat(record)) || !(await isForgotten(store, top, now()))) continue
    swept.ids.push(id)
    if (!dryRun) swept.kept.push(...(await removeAllBelow(store, top)).kept)
  }
  return swept
}

async function isForgotten(store: ObjectStore, prefix: string, now: Date): Promise<boolean> {
  let newest: number | undefined
  for await (const { changedAt } of store.list(prefix)) newest = Math.max(newest ?? 0, changedAt.getTime())
  return newest !== undefined && now.getTime() - newest > forgottenAfterMs
}
