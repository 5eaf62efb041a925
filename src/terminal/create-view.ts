import type { Backup } from '../backup/catalog.js'
import { formatBytes, formatDuration } from '../units.js'
import { backupJson } from './backup-json.js'
import { openCommand } from './open-command.js'
import { proofText, unprovenOf } from './proof-text.js'
import { printable, type Screen } from './screen.js'

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
${faultsOf(backup)
  .map((fault) => `  not proven: ${fault}\n`)
  .join('')}
Run it:
  ${pgbk(`local-run ${id}`)}
Or, using it up:
  ${openCommand(backup)}
`
}

/** What the proof has found, if it was made and failed. */
function faultsOf({ proof }: Backup): string[] {
  return proof === undefined || proof === 'unreadable' ? [] : proof.faults.map(printable)
}
