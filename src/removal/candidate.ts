import type { StoredBackup } from '../catalog/backup.js'
import { clusterOf } from '../catalog/check-cluster.js'
import { resultOf } from '../catalog/proof.js'
import type { Candidate, Reason } from '../retention/retention.js'
import type { InUse } from './in-use.js'

/**
 * A backup as a policy judges it. One whose record has faults can be told neither from a good one nor from another cluster's: it stays.
 * @param window the times that it can be restored to.
 */
export function candidateFor(
  backup: StoredBackup,
  window: Candidate['window'],
  uses: readonly InUse[] = [],
): Candidate {
  const { id, summary, state, proof, hold } = backup
  const cluster = clusterOf(backup)
  const protectedBy: Reason[] = uses.map(({ by }) => ({ rule: 'in use', detail: `by ${by}` }))
  if (hold)
    protectedBy.unshift(hold.reason === null ? { rule: 'held' } : { rule: 'held', detail: hold.reason })
  if (cluster === undefined) protectedBy.push({ rule: 'damaged', detail: 'its record has faults' })
  return {
    id,
    startedAt: new Date(summary.started_at),
    kind: summary.kind,
    whole: state === 'whole' && cluster !== undefined,
    check: resultOf(proof),
    cluster: cluster ?? '',
    window,
    protectedBy,
  }
}
