import type { LocalBackup } from '../catalog/backup.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { estimateSaving } from '../packing/estimate-saving.js'
import { isPlainAlone, manyPlain } from '../packing/plain-total.js'

/** A tenth of a second, while the snapshot is in memory. */
const pieces = 64

/** About how many bytes fewer a new plain backup would take packed, where there are many: `list` tells it, and has no time to look. */
export async function noteSaving(
  snapshot: string,
  backups: readonly LocalBackup[],
  context: Context,
): Promise<Pick<BackupRecord, 'pack_saves'>> {
  if (backups.filter(isPlainAlone).length + 1 < manyPlain) return {}
  return { pack_saves: (await estimateSaving(snapshot, context, pieces)).savedBytes }
}
