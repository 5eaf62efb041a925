import type { DownloadResult } from '../../download/download.js'
import type { ArchiveResult } from '../../download/download-archive.js'
import { formatBytes, formatDuration } from '../../text/format.js'
import { shellWord } from '../../text/shell-word.js'
import { backupJson } from '../parts/backup-json.js'
import type { Screen } from '../screen.js'

export function downloadJson({ backup, source, transfer }: DownloadResult): object {
  return {
    backup: backupJson(backup, backup.directory),
    source,
    already_here: transfer === undefined,
    received_bytes: transfer?.bytes ?? 0,
    duration_ms: transfer?.durationMs ?? 0,
    verified_by: transfer?.verifiedBy ?? null,
  }
}

export function downloadText(
  { backup, transfer, to }: DownloadResult,
  { style, quiet, pgbk }: Screen,
): string {
  if (quiet) return ''
  const { id, directory } = backup
  const what = transfer
    ? `${amount(transfer)}, verified by ${transfer.verifiedBy}`
    : 'is here already, and whole'
  return `${style.good('Backup')} ${style.strong(id)}${transfer ? ':' : ''} ${what}
  ${directory}

Run it:
  ${pgbk(`local-run ${id}`, { root: to })}
`
}

/** The rate is left out where it says nothing. */
function amount({ bytes, durationMs }: NonNullable<DownloadResult['transfer']>): string {
  const time = formatDuration(durationMs)
  return durationMs < 200
    ? `${formatBytes(bytes)} in ${time}`
    : `${formatBytes(bytes)} in ${time}, ${formatBytes((bytes * 1000) / durationMs)}/s`
}

export function archiveJson(result: ArchiveResult): object {
  const { backup, location, source, file, compression, bytes, durationMs } = result
  return {
    backup: backupJson(backup, location),
    source,
    archive: { file, compression, size_bytes: bytes },
    duration_ms: durationMs,
  }
}

/** Nothing where standard output is the archive. */
export function archiveText(
  { backup, file, bytes, durationMs }: ArchiveResult,
  { style, quiet }: Screen,
): string {
  if (quiet || file === undefined) return ''
  const { id, storedBytes } = backup
  const unpacked = formatBytes(storedBytes)
  return `${style.good('Archive')} ${style.strong(file)}: ${formatBytes(bytes)} (${unpacked} unpacked), ${formatDuration(durationMs)}

Unpack it:            tar -xf ${shellWord(file)} -C DIR
Then check it:        pgbk verify -C DIR ${id}
Or run it:            pgbk local-run -C DIR ${id}
`
}
