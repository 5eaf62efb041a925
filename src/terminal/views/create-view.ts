import type { Backup } from '../../catalog/catalog.js'
import { formatAgo, formatBytes, formatDuration, formatTimes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { openCommand } from '../parts/open-command.js'
import { proofText, unprovenOf } from '../parts/proof-text.js'
import { printable, type Screen } from '../screen.js'

export function createJson(backup: Backup): object {
  return { backup: backupJson(backup) }
}

export function createText(backup: Backup, { style, quiet, now, pgbk }: Screen): string {
  const { id, record, layout } = backup
  // Where nobody looks, a failure is still told, and that there is no proof.
  if (quiet)
    return [...faultsOf(backup), ...unprovenOf(backup.proof).map(printable)]
      .map((fault) => `Backup ${id} is not proven: ${fault}\n`)
      .join('')
  const proof = proofText(backup.proof, now)
  const checked = `${record.verified ? 'verified' : 'not verified'}${proof && `, ${proof}`}`
  return `${style.good('Backup')} ${style.strong(id)}: ${formatBytes(record.size_bytes)} in ${record.file_count} files, ${formatDuration(record.duration_ms)}, ${checked}
  ${layout.directory}
${asOfText(backup, now)}${faultsOf(backup)
  .map((fault) => `  not proven: ${fault}\n`)
  .join('')}
Run it:
  ${pgbk(`local-run ${id}`)}
Or, using it up:
  ${openCommand(backup)}
`
}

/** Of a standby, which may be behind; a primary's data are of now. */
function asOfText({ record }: Backup, now: Date): string {
  const { standby, copied_at: time } = record
  if (!standby || time === undefined) return ''
  return `  Data as of ${formatTimes(time)}, ${formatAgo(now.getTime() - Date.parse(time))}\n`
}

/** What the proof has found, if it was made and failed. */
function faultsOf({ proof }: Backup): string[] {
  return proof === undefined || proof === 'unreadable' ? [] : proof.faults.map(printable)
}
