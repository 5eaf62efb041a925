import type { StoredBackup } from '../../catalog/backup.js'
import { outcomeOf, unprovenReasons } from '../../catalog/proof-outcome.js'
import { formatAgo, formatDuration } from '../../text/format.js'

/** `proven 2 days ago, ready in 0.9 s`, `failed ...`, `not proven ...`; empty where there is no proof. */
export function proofText(proof: StoredBackup['proof'], now: Date): string {
  if (proof === undefined) return ''
  if (proof === 'unreadable') return 'unreadable'
  const when = formatAgo(now.getTime() - Date.parse(proof.finished_at))
  const outcome = outcomeOf(proof)
  if (outcome !== 'proven') return `${outcome === 'failed' ? 'failed' : 'not proven'} ${when}`
  return `proven ${when}${proof.ready_ms === null ? '' : `, ready in ${formatDuration(proof.ready_ms)}`}`
}

export function hasFailed(proof: StoredBackup['proof']): boolean {
  return proof !== undefined && proof !== 'unreadable' && outcomeOf(proof) === 'failed'
}

/** Why not all could be proven; none where nothing was tried. */
export function unprovenOf(proof: StoredBackup['proof']): string[] {
  return proof === undefined || proof === 'unreadable' ? [] : unprovenReasons(proof)
}
