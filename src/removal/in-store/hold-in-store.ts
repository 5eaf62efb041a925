import type { StoredBackup } from '../../catalog/backup.js'
import { selectBackup } from '../../catalog/select.js'
import { resolveSource } from '../../catalog/source-place.js'
import type { Task } from '../../config/load.js'
import { withEnds } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { openWritableStore } from '../../place/open-writable-store.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore } from '../../place/store/object-store.js'
import { putSeen } from '../../place/store/put-seen.js'
import { checkPlainLine } from '../../text/printable.js'

/** A backup as it is afterwards, and where. */
export interface HeldThere {
  backup: StoredBackup
  location: string
}

/** Keeps a backup of a store from being removed there until it is released. @throws {PgbkError} as `holdBackup`. */
export async function holdInStore(
  id: string,
  from: string,
  reason: string | undefined,
  task: Task,
): Promise<HeldThere> {
  checkPlainLine(reason, 'reason')
  return change(id, from, task, async ({ id: found, hold }, objects) => {
    if (hold && reason === undefined) return hold
    const content = { format: 1 as const, since: task.context.now().toISOString(), reason: reason ?? null }
    const { hold: key, record } = keysOf.backup(found)
    const bytes = Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`)
    await putSeen(objects, key, bytes)
    // One that was removed meanwhile is not held.
    if (!(await objects.stat(record))) {
      await objects.remove([key])
      throw new PgbkError('not-found', `backup ${found} was removed from ${objects.name} meanwhile`)
    }
    return content
  })
}

/** Lifts a hold; one that is not held stays so, and that is said. @throws {PgbkError} `not-found`; `failed` where it may not be removed. */
export async function releaseInStore(id: string, from: string, task: Task): Promise<HeldThere> {
  return change(id, from, task, async ({ id: found, hold }, objects) => {
    if (!hold) task.context.progress.warn(`${found} was not held`)
    const [kept] = await objects.remove([keysOf.backup(found).hold])
    if (kept)
      throw new PgbkError('failed', `${objects.locationOf(kept.key)} cannot be removed: Object Lock keeps it`)
    return undefined
  })
}

async function change(
  wanted: string,
  from: string,
  { settings, context }: Task,
  work: (backup: StoredBackup, objects: ObjectStore) => Promise<StoredBackup['hold']>,
): Promise<HeldThere> {
  return withEnds(context, async (own) => {
    const { objects, place } = await openWritableStore(from, { settings, context: own })
    const named = resolveSource(from, context.cwd, settings.stores)
    const backup = selectBackup(await place.list(), wanted, own, named)
    return { backup: { ...backup, hold: await work(backup, objects) }, location: place.locationOf(backup.id) }
  })
}
