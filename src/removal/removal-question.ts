import type { LocalBackup } from '../catalog/backup.js'
import { formatBytes } from '../text/units.js'

/** Names all that would go, and asks. */
export function removalQuestion(chosen: LocalBackup[]): string {
  const size = formatBytes(chosen.reduce((sum, { storedBytes }) => sum + storedBytes, 0))
  const names = chosen
    .map(({ id, summary }) => `  ${id}  ${(summary.label ?? '').replaceAll('\n', ' ')}`.trimEnd())
    .join('\n')
  return `${names}\nDelete ${chosen.length === 1 ? 'this backup' : `these ${chosen.length} backups`} (${size}) for good?`
}
