import type { StoredBackup } from '../../catalog/backup.js'

/** A backup as programs get it: its record, its state now, where it is, and what was put beside it since. */
export function backupJson(
  { raw, form, state, ownBytes, hold, proof }: StoredBackup,
  directory: string,
): object {
  return {
    ...raw,
    form,
    state,
    own_bytes: ownBytes,
    directory,
    hold: hold === undefined ? null : { since: hold.since, reason: hold.reason },
    proof: proof === undefined || proof === 'unreadable' ? null : proof,
  }
}
