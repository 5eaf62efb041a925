import { type Instant, shortInstant } from '../text/instant.js'

/** What a person can ask a copy's data to be as of. */
export type Moment =
  | { kind: 'snapshot' }
  | { kind: 'latest' }
  | { kind: 'time'; time: Instant }
  | { kind: 'lsn'; lsn: string }
  | { kind: 'xid'; xid: string }
  | { kind: 'name'; name: string }

/** Which moment is wanted, and what is to happen there. */
export interface RecoveryWish {
  moment: Moment
  /** Stop just before what the moment names, not just after it. */
  exclusive?: boolean
  /** Default: the newest that the archive leads to. */
  timeline?: number | undefined
  /** At the moment, stay read-only instead of becoming a server of its own. */
  pause?: boolean
}

/** In plain words, as in `the data as of ...`. */
export function describeMoment(moment: Moment): string {
  switch (moment.kind) {
    case 'snapshot':
      return "the snapshot's end"
    case 'latest':
      return 'the end of the WAL archive'
    case 'time':
      return `the time ${shortInstant(moment.time)}`
    case 'lsn':
      return `the LSN ${moment.lsn}`
    case 'xid':
      return `the transaction ${moment.xid}`
    case 'name':
      return `the restore point ${JSON.stringify(moment.name)}`
  }
}
