import type { Backup } from '../backup/catalog.js'

/** A backup as programs get it: its record, its state now, and where it is. */
export function backupJson({ raw, state, directory }: Backup): object {
  return { ...raw, state, directory }
}
