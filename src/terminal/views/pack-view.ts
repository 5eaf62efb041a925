import type { ChangedForm } from '../../packing/pack.js'
import { formatBytes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { openCommand } from '../parts/open-command.js'
import type { Screen } from '../screen.js'

export function packedJson({ backup }: ChangedForm): object {
  return { backup: backupJson(backup, backup.directory) }
}

export function packedText(changed: ChangedForm, { quiet }: Screen): string {
  return quiet || changed.wasSo ? '' : `Packed ${changed.backup.id}: ${sizes(changed)}${freed(changed)}.\n`
}

export function unpackedText(changed: ChangedForm, { quiet }: Screen): string {
  return quiet || changed.wasSo
    ? ''
    : `Unpacked ${changed.backup.id}: ${sizes(changed)}.\n  ${openCommand(changed.backup)}\n`
}

/** Said where it is not what the sizes say. */
function freed({ backup, storedBefore, savedBytes }: ChangedForm): string {
  if (savedBytes === storedBefore - backup.storedBytes) return ''
  const change = savedBytes < 0 ? `${formatBytes(-savedBytes)} less` : `${formatBytes(savedBytes)} more`
  return `; it shared blocks with others, which stay: ${change} are free now`
}

function sizes({ backup, storedBefore }: ChangedForm): string {
  return `${formatBytes(backup.storedBytes)} instead of ${formatBytes(storedBefore)}`
}
