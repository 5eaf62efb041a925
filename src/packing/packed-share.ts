import type { StoredBackup } from '../catalog/backup.js'
import { savedShare } from './plain-total.js'

/** What an image takes of what is in it. */
export interface PackedShare {
  share: number
  /** The id of the backup that shows it; undefined where none does. */
  shownBy: string | undefined
}

/** Where nothing is known, as much as data takes that hardly compresses: half. */
const careful = 1 / 2

/** What an image of the same server would about take, by the newest backup that shows it. @param backups newest first. */
export function packedShare(backups: readonly StoredBackup[]): PackedShare {
  for (const backup of backups.filter(({ state }) => state === 'whole')) {
    const share = shareOf(backup)
    if (share !== undefined) return { share, shownBy: backup.id }
  }
  return { share: careful, shownBy: undefined }
}

function shareOf(backup: StoredBackup): number | undefined {
  const { packed } = backup.summary
  if (packed) return packed.snapshot_bytes > 0 ? packed.bytes / packed.snapshot_bytes : undefined
  const saved = savedShare(backup)
  return saved === undefined ? undefined : 1 - saved
}
