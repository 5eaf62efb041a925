const day = 86_400_000

export type Period = 'day' | 'week' | 'month'

/**
 * Names the periods of a calendar: `2026-11-20`, `2026-W47` (ISO 8601: weeks begin on Monday, and belong to the year that their
 * Thursday is in), `2026-11`. A period is what clocks and calendars in that time zone call so, however many hours it has.
 */
export function calendarIn(timeZone: string | undefined): (time: Date, period: Period) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === undefined ? {} : { timeZone }),
    calendar: 'iso8601',
    numberingSystem: 'latn',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  })
  return (time, period) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
    const date = `${parts.year?.padStart(4, '0')}-${parts.month}-${parts.day}`
    if (period === 'day') return date
    return period === 'month' ? date.slice(0, 7) : isoWeek(date)
  }
}

function isoWeek(date: string): string {
  const midnight = Date.parse(`${date}T00:00:00Z`)
  const weekday = (new Date(midnight).getUTCDay() + 6) % 7
  const thursday = new Date(midnight + (3 - weekday) * day)
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * day)) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}

const lengths: Record<string, number> = {
  minute: 60_000,
  hour: 3_600_000,
  day,
  week: 7 * day,
  month: 31 * day,
}

/** The ms of a span such as `14 days`, as the configuration's schema lets it through; a month is the longest there is. */
export function spanMs(span: string): number {
  const [, count, unit = ''] = /^(\d+) (minute|hour|day|week|month)s?$/.exec(span) ?? []
  return Number(count) * (lengths[unit] ?? Number.NaN)
}
