import type { LocalBackup } from '../catalog/backup.js'
import type { Task } from '../config/load.js'
import { judgeThere } from '../removal/in-store/judge-store.js'
import { policyOf, removesAnything } from '../retention/retention.js'
import type { OpenStore } from './open-stores.js'

/**
 * Those that a store's own policy would keep if they were there: what its next prune would remove is not sent, or what it has removed
 * would come again and again.
 */
export async function keepableIn(
  store: OpenStore,
  backups: LocalBackup[],
  task: Task,
): Promise<LocalBackup[]> {
  const { settings, context } = task
  const policy = policyOf(
    store.name === undefined ? undefined : settings.stores[store.name]?.retention,
    false,
  )
  if (!removesAnything(policy)) return backups
  const there = await store.place.list().then(
    (catalog) => catalog.backups,
    () => undefined,
  )
  // Why it cannot be read, its uploads tell.
  if (!there) return backups
  const known = new Set(there.map(({ id }) => id))
  const further = backups.filter(({ id }) => !known.has(id))
  // That somebody holds it here says nothing of there.
  const asIfThere = further.map((backup) => ({ ...backup, hold: undefined }))
  const stays = new Map(
    judgeThere([...there, ...asIfThere], policy, task).map(({ backup, reasons }) => [
      backup.id,
      reasons.length > 0,
    ]),
  )
  const left = further.filter(({ id }) => !stays.get(id))
  if (left.length > 0)
    context.progress.say(
      `not sent, since the retention of ${store.objects.name} would remove it there: ${left.map(({ id }) => id).join(', ')}`,
    )
  return backups.filter((backup) => !left.includes(backup))
}
