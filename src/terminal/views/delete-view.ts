import type { DeleteResult } from '../../removal/delete.js'
import { formatBytes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { moveJson } from '../parts/move-view.js'
import type { Screen } from '../screen.js'

export function deleteJson({ deleted, moved }: DeleteResult): object {
  return {
    deleted: deleted.map((backup) => ({
      ...backupJson(backup, backup.directory),
      freed_bytes: backup.freedBytes,
    })),
    moved_wal: moved.map(moveJson),
  }
}

export function deleteText({ deleted }: DeleteResult, { quiet }: Screen): string {
  if (quiet) return ''
  return deleted.map(({ id, freedBytes }) => `Deleted ${id} (${formatBytes(freedBytes)})\n`).join('')
}
