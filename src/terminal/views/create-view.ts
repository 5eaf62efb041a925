import { type LocalBackup, recordOf } from '../../catalog/backup.js'
import { formatAgo, formatBytes, formatDuration, formatTimes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { openCommand } from '../parts/open-command.js'
import { proofText, unprovenOf } from '../parts/proof-text.js'
import { printable, type Screen } from '../screen.js'

export function createJson(backup: LocalBackup): object {
  return { backup: backupJson(backup, backup.directory) }
}

export function createText(backup: LocalBackup, { style, quiet, now, pgbk }: Screen): string {
  const { id, directory } = backup
  const record = recordOf(backup)
  // Where nobody looks, a failure is still told, and that there is no proof.
  if (quiet)
    return [...faultsOf(backup), ...unprovenOf(backup.proof).map(printable)]
      .map((fault) => `Backup ${id} is not proven: ${fault}\n`)
      .join('')
  const proof = proofText(backup.proof, now)
  const checked = `${record.verified ? 'verified' : 'not verified'}${proof && `, ${proof}`}`
  return `${style.good('Backup')} ${style.strong(id)}: ${formatBytes(record.size_bytes)} in ${record.file_count} files${diskText(backup)}, ${formatDuration(record.duration_ms)}, ${checked}
  ${directory}
${asOfText(backup, now)}${faultsOf(backup)
  .map((fault) => `  not proven: ${fault}\n`)
  .join('')}
Run it:
  ${pgbk(`local-run ${id}`)}
${backup.form === 'plain' ? 'Or, using it up' : 'Or, without pgbk'}:
  ${openCommand(backup)}
`
}

/** What it takes of the disk, where that is less. */
function diskText({ form, storedBytes, summary: { shared, size_bytes } }: LocalBackup): string {
  if (form === 'packed') return `, packed: ${formatBytes(storedBytes)}`
  return shared ? ` (${formatBytes(size_bytes - shared.bytes)} more on the disk)` : ''
}

/** Of a standby, which may be behind; a primary's data are of now. */
function asOfText(backup: LocalBackup, now: Date): string {
  const { standby, copied_at: time } = recordOf(backup)
  if (!standby || time === undefined) return ''
  return `  Data as of ${formatTimes(time)}, ${formatAgo(now.getTime() - Date.parse(time))}\n`
}

/** What the proof has found, if it was made and failed. */
function faultsOf({ proof }: LocalBackup): string[] {
  return proof === undefined || proof === 'unreadable' ? [] : proof.faults.map(printable)
}
