import { type LocalBackup, plainSnapshotOf } from '../../catalog/backup.js'
import { shellWord } from '../../text/shell-word.js'

/** The line that opens a snapshot with stock PostgreSQL. */
export function openCommand(backup: LocalBackup): string {
  return `cd ${shellWord(plainSnapshotOf(backup).snapshot)} && postgres -D conf`
}
