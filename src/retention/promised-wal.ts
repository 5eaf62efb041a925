import type { StoredBackup } from '../catalog/backup.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { resultOf } from '../catalog/proof.js'
import { spanMs } from './calendar.js'
import type { RetentionPolicy } from './retention.js'

/**
 * The backups that stay and have to reach what they reach now, when others go. Without a span all do: then all WAL since the oldest
 * stays. With one, of each cluster the newest that was finished before its start, and all that were finished since: from there every
 * moment of the span can be reached.
 */
export function promisedBy<B extends StoredBackup>(policy: RetentionPolicy, staying: B[], now: Date): B[] {
  const spans = [policy.wal, policy.window].flatMap((span) => (span === undefined ? [] : [spanMs(span)]))
  if (spans.length === 0) return staying
  const start = now.getTime() - Math.max(...spans)
  return staying.filter((backup) => {
    const first = firstOf(staying, claimedCluster(backup), start)
    return first === undefined || backup.id >= first.id
  })
}

/** No check has failed on it, if there is such a one. */
function firstOf(
  staying: StoredBackup[],
  cluster: string | undefined,
  start: number,
): StoredBackup | undefined {
  const before = staying
    .filter((one) => one.state === 'whole' && claimedCluster(one) === cluster)
    .filter(({ summary }) => Date.parse(summary.finished_at) <= start)
    .sort((one, other) => (one.id < other.id ? 1 : -1))
  return before.find(({ proof }) => resultOf(proof) !== 'failed') ?? before[0]
}
