import type { StoredBackup } from '../../catalog/backup.js'
import { backupJson } from '../parts/backup-json.js'
import type { Screen } from '../screen.js'
import { printable } from '../screen.js'

/** @param location where it is. */
export function heldJson(backup: StoredBackup, location: string): object {
  return { backup: backupJson(backup, location) }
}

export function heldText({ id, hold }: StoredBackup, { quiet }: Screen): string {
  if (quiet) return ''
  const reason = hold?.reason ? ` (${printable(hold.reason)})` : ''
  return `Held ${id}${reason}: neither prune nor delete removes it.\n`
}

export function releasedText({ id }: StoredBackup, { quiet }: Screen): string {
  return quiet ? '' : `Released ${id}.\n`
}
