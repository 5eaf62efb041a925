import { type LocalBackup, plainSnapshotOf } from '../../catalog/backup.js'
import { shellWord } from '../../text/shell-word.js'

/** The line that opens a snapshot with stock PostgreSQL; a packed one is unpacked before. */
export function openCommand(backup: LocalBackup): string {
  if (backup.form === 'packed')
    return `cd ${shellWord(backup.directory)} && unsquashfs -d snapshot snapshot.squashfs && cd snapshot && postgres -D conf`
  return `cd ${shellWord(plainSnapshotOf(backup).snapshot)} && postgres -D conf`
}
