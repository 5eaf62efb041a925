import type { StoredBackup } from '../../catalog/backup.js'
import { PgbkError } from '../../errors.js'
import { filesInStore } from '../../place/store/files-in-store.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore } from '../../place/store/object-store.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { unlessDamaged } from './unless-damaged.js'

const atOnce = 16
/** Clocks differ, and time zones are mistaken for each other. */
const mostAheadMs = 86_400_000

/**
 * The ids of backups of a store that count for no policy: they are of the future, or have not the files that their records tell of. Whoever
 * may only write there can put a record that says anything; others are not to go for that.
 */
export async function unsoundThere(
  store: ObjectStore,
  backups: readonly StoredBackup[],
  now: Date,
): Promise<ReadonlySet<string>> {
  const unsound = new Set<string>()
  await inParallel([...backups], atOnce, async ({ id, summary }) => {
    const isAhead = Date.parse(summary.started_at) > now.getTime() + mostAheadMs
    if (isAhead || !(await hasFiles(store, id, filesInStore(summary)))) unsound.add(id)
  })
  return unsound
}

async function hasFiles(
  store: ObjectStore,
  id: string,
  files: ReturnType<typeof filesInStore>,
): Promise<boolean> {
  const { top } = keysOf.backup(id)
  for (const { name, bytes } of files) {
    const found = await unlessDamaged(() => store.stat(`${top}${name}`))
    if (found instanceof PgbkError || found?.bytes !== bytes) return false
  }
  return files.length > 0
}
