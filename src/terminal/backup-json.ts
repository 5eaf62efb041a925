import type { Backup } from '../backup/catalog.js'

/** A backup as programs get it: its record, its state now, and where it is. */
export function backupJson({ record, state, directory }: Backup): object {
  return { ...record, state, directory }
}
