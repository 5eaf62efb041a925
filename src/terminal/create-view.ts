import type { Backup } from '../backup/catalog.js'
import { formatBytes, formatDuration } from '../units.js'
import { backupJson } from './backup-json.js'
import { openCommand } from './open-command.js'
import { proofText } from './proof-text.js'
import { printable, type Screen } from './screen.js'

export function createJson(backup: Backup): object {
  return { backup: backupJson(backup) }
}

export function createText(backup: Backup, { style, quiet, now }: Screen): string {
  if (quiet) return ''
  const { id, record, layout } = backup
  const proof = proofText(backup.proof, now)
  const checked = `${record.verified ? 'verified' : 'not verified'}${proof && `, ${proof}`}`
  return `${style.good('Backup')} ${style.strong(id)}: ${formatBytes(record.size_bytes)} in ${record.file_count} files, ${formatDuration(record.duration_ms)}, ${checked}
  ${layout.directory}
${faultLines(backup)}
Run it:
  pgbk local-run ${id}
Or, using it up:
  ${openCommand(backup)}
`
}

/** What the proof has found, if it was made and failed. */
function faultLines({ proof }: Backup): string {
  if (proof === undefined || proof === 'unreadable') return ''
  return proof.faults.map((fault) => `  not proven: ${printable(fault)}\n`).join('')
}
