import type { Backup } from '../backup/catalog.js'
import { formatAgo, formatDuration } from '../units.js'

/** `proven 2 days ago, ready in 0.9 s`; empty where there is no proof. */
export function proofText(proof: Backup['proof'], now: Date): string {
  if (proof === undefined) return ''
  if (proof === 'unreadable') return 'unreadable'
  const when = formatAgo(now.getTime() - Date.parse(proof.finished_at))
  if (!proof.ok) return `failed ${when}`
  return `proven ${when}${proof.ready_ms === null ? '' : `, ready in ${formatDuration(proof.ready_ms)}`}`
}

export function hasFailed(proof: Backup['proof']): boolean {
  return proof !== undefined && proof !== 'unreadable' && !proof.ok
}
