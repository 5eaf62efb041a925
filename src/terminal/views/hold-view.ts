import type { LocalBackup } from '../../catalog/backup.js'
import { backupJson } from '../parts/backup-json.js'
import type { Screen } from '../screen.js'
import { printable } from '../screen.js'

export function heldJson(backup: LocalBackup): object {
  return { backup: backupJson(backup, backup.directory) }
}

export function heldText({ id, hold }: LocalBackup, { quiet }: Screen): string {
  if (quiet) return ''
  const reason = hold?.reason ? ` (${printable(hold.reason)})` : ''
  return `Held ${id}${reason}: neither prune nor delete removes it.\n`
}

export function releasedText({ id }: LocalBackup, { quiet }: Screen): string {
  return quiet ? '' : `Released ${id}.\n`
}
