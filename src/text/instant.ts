/** A time to the microsecond, in UTC: `2026-11-20T15:04:00.000000Z`. Texts of this form sort by time. */
export type Instant = string

/** @param time ISO 8601 in UTC, with any number of digits after the second. */
export function instantOf(time: string): Instant {
  const [, seconds = '', fraction = ''] = /^(.{19})(?:\.(\d+))?/.exec(new Date(time).toISOString()) ?? []
  const own = /\.(\d+)/.exec(time)?.[1] ?? fraction
  return `${seconds}.${own.slice(0, 6).padEnd(6, '0')}Z`
}

/** Without a fraction, or zeros at its end, that say nothing. */
export function shortInstant(time: Instant): string {
  return time.replace(/0+Z$/, 'Z').replace(/\.Z$/, 'Z')
}
