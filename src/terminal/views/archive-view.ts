import type { ArchiveResult } from '../../download/download-archive.js'
import { formatBytes, formatDuration } from '../../text/format.js'
import { shellWord } from '../../text/shell-word.js'
import { backupJson } from '../parts/backup-json.js'
import type { Screen } from '../screen.js'

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
  const { id } = backup
  const unpacked = formatBytes(backup.storedBytes)
  return `${style.good('Archive')} ${style.strong(file)}: ${formatBytes(bytes)} (${unpacked} unpacked), ${formatDuration(durationMs)}

Unpack it:            tar -xf ${shellWord(file)} -C DIR
Then check it:        pgbk verify -C DIR ${id}
Or run it:            pgbk local-run -C DIR ${id}
`
}
