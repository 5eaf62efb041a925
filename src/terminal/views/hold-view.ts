import type { Backup } from '../../catalog/catalog.js'
import { backupJson } from '../parts/backup-json.js'
import type { Screen } from '../screen.js'
import { printable } from '../screen.js'

export function heldJson(backup: Backup): object {
  return { backup: backupJson(backup) }
}

export function heldText({ id, hold }: Backup, { quiet }: Screen): string {
  if (quiet) return ''
  const reason = hold?.reason ? ` (${printable(hold.reason)})` : ''
  return `Held ${id}${reason}: neither prune nor delete removes it.\n`
}

export function releasedText({ id }: Backup, { quiet }: Screen): string {
  return quiet ? '' : `Released ${id}.\n`
}
