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

/** A time to the microsecond, in UTC: `2026-11-20T15:04:00.000000Z`. Texts of this form sort by time. */
export type Instant = string

/** @param time ISO 8601 in UTC, with any number of digits after the second. */
export function instantOf(time: string): Instant {
  const [, seconds = '', fraction = ''] = /^(.{19})(?:\.(\d+))?/.exec(new Date(time).toISOString()) ?? []
  const own = /\.(\d+)/.exec(time)?.[1] ?? fraction
  return `${seconds}.${own.slice(0, 6).padEnd(6, '0')}Z`
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

/** Without a fraction, or zeros at its end, that say nothing. */
export function shortInstant(time: Instant): string {
  return time.replace(/0+Z$/, 'Z').replace(/\.Z$/, 'Z')
}
