import { type Instant, shortInstant } from '../text/instant.js'

/** What a person can ask a copy's data to be as of. */
export type TargetPoint =
  | { kind: 'snapshot' }
  | { kind: 'latest' }
  | { kind: 'time'; time: Instant }
  | { kind: 'lsn'; lsn: string }
  | { kind: 'xid'; xid: string }
  | { kind: 'name'; name: string }

/** Where recovery is to end, and what is to happen there: the settings `recovery_target...` of PostgreSQL. */
export interface RecoveryTarget {
  point: TargetPoint
  /** Stop just before what the point names, not just after it. */
  exclusive?: boolean
  /** Default: the newest that the archive leads to. */
  timeline?: number | undefined
  /** At the target, stay read-only instead of becoming a server of its own. */
  pause?: boolean
}

/** In plain words, as in `the data as of ...`. */
export function describePoint(point: TargetPoint): string {
  switch (point.kind) {
    case 'snapshot':
      return "the snapshot's end"
    case 'latest':
      return 'the end of the WAL archive'
    case 'time':
      return `the time ${shortInstant(point.time)}`
    case 'lsn':
      return `the LSN ${point.lsn}`
    case 'xid':
      return `the transaction ${point.xid}`
    case 'name':
      return `the restore point ${JSON.stringify(point.name)}`
  }
}
