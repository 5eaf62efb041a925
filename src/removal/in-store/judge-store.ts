import type { StoredBackup } from '../../catalog/backup.js'
import { windowStart } from '../../catalog/data-time.js'
import type { Task } from '../../config/load.js'
import { judge, type Reason, type RetentionPolicy } from '../../retention/retention.js'
import { candidateFor } from '../candidate.js'

/** A backup of a store, and why it stays there; without a reason it goes. */
export interface JudgedThere {
  backup: StoredBackup
  reasons: Reason[]
}

/**
 * By the policy of the store: who uses one of its backups, elsewhere, is not known.
 * @param unsound ids of those that stay, and count for nothing.
 */
export function judgeThere(
  backups: StoredBackup[],
  policy: RetentionPolicy,
  { settings, context }: Task,
  unsound: ReadonlySet<string> = new Set(),
): JudgedThere[] {
  const options = { now: context.now(), timeZone: settings.time_zone }
  // Where the WAL of one ends, only reading it would tell.
  const candidates = backups.map((backup) => {
    const candidate = candidateFor(backup, { from: Date.parse(windowStart(backup.summary)) })
    return unsound.has(backup.id) ? { ...candidate, whole: false } : candidate
  })
  const reasons = judge(candidates, policy, options)
  return backups.map((backup) => ({ backup, reasons: reasons.get(backup.id) ?? [] }))
}
