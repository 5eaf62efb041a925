import type { StoredBackup } from '../../catalog/backup.js'
import { clusterOf } from '../../catalog/check-cluster.js'
import { windowStart } from '../../catalog/data-time.js'
import { resultOf } from '../../catalog/proof.js'
import type { Task } from '../../config/load.js'
import { type Candidate, judge, type Reason, type RetentionPolicy } from '../../retention/retention.js'

/** A backup of a store, and why it stays there; without a reason it goes. */
export interface JudgedThere {
  backup: StoredBackup
  reasons: Reason[]
}

/** By the policy of the store: who uses one of its backups, elsewhere, is not known. */
export function judgeThere(
  backups: StoredBackup[],
  policy: RetentionPolicy,
  { settings, context }: Task,
): JudgedThere[] {
  const options = { now: context.now(), timeZone: settings.time_zone }
  const reasons = judge(backups.map(candidateFor), policy, options)
  return backups.map((backup) => ({ backup, reasons: reasons.get(backup.id) ?? [] }))
}

function candidateFor(backup: StoredBackup): Candidate {
  const { id, summary, state, proof, hold } = backup
  const cluster = clusterOf(backup)
  const protectedBy: Reason[] = []
  if (hold) protectedBy.push(hold.reason === null ? { rule: 'held' } : { rule: 'held', detail: hold.reason })
  if (cluster === undefined) protectedBy.push({ rule: 'damaged', detail: 'its record has faults' })
  return {
    id,
    startedAt: new Date(summary.started_at),
    kind: summary.kind,
    whole: state === 'whole' && cluster !== undefined,
    check: resultOf(proof),
    cluster: cluster ?? '',
    // Where its WAL ends, only reading it would tell.
    window: { from: Date.parse(windowStart(summary)) },
    protectedBy,
  }
}
