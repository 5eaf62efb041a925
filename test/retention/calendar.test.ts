import { describe, expect, it } from '@jest/globals'
import { calendarIn, spanMs } from '../../src/retention/calendar.js'

const named = (time: string, zone: string | undefined = 'UTC') => {
  const nameOf = calendarIn(zone)
  return (['day', 'week', 'month'] as const).map((period) => nameOf(new Date(time), period))
}

describe('the calendar', () => {
  it.each([
    ['2026-11-20T03:00:00Z', ['2026-11-20', '2026-W47', '2026-11']],
    // ISO 8601's own examples: the days around New Year belong to the year of their Thursday.
    ['2005-01-01T12:00:00Z', ['2005-01-01', '2004-W53', '2005-01']],
    ['2005-12-31T12:00:00Z', ['2005-12-31', '2005-W52', '2005-12']],
    ['2008-12-29T12:00:00Z', ['2008-12-29', '2009-W01', '2008-12']],
    ['2010-01-03T12:00:00Z', ['2010-01-03', '2009-W53', '2010-01']],
    ['2026-12-31T12:00:00Z', ['2026-12-31', '2026-W53', '2026-12']],
  ])('names the periods of %s', (time, names) => expect(named(time)).toEqual(names))

  it('is that of the time zone', () => {
    const beforeMidnight = '2026-10-31T23:30:00Z'
    expect(named(beforeMidnight)).toEqual(['2026-10-31', '2026-W44', '2026-10'])
    expect(named(beforeMidnight, 'Europe/Berlin')[0]).toBe('2026-11-01')
    expect(named(beforeMidnight, 'Asia/Kolkata')[2]).toBe('2026-11')
    expect(named(beforeMidnight, 'America/New_York')[0]).toBe('2026-10-31')
  })

  it.each([
    ['2026-03-29', 23],
    ['2026-10-25', 25],
    ['2026-11-20', 24],
  ])('gives %s in Berlin %i hours', (date, hours) => {
    const nameOf = calendarIn('Europe/Berlin')
    const start = Date.parse(`${date}T12:00:00Z`) - 24 * 3_600_000
    const found = Array.from({ length: 48 }, (_, hour) => new Date(start + hour * 3_600_000))
    expect(found.filter((time) => nameOf(time, 'day') === date)).toHaveLength(hours)
  })

  it('is the system’s where no zone is named', () => {
    expect(named('2026-11-20T12:00:00Z', undefined)[0]).toMatch(/^2026-11-2[01]$/)
  })
})

describe('a span', () => {
  it.each([
    ['90 minutes', 5_400_000],
    ['1 hour', 3_600_000],
    ['14 days', 14 * 86_400_000],
    ['2 weeks', 14 * 86_400_000],
    ['1 month', 31 * 86_400_000],
  ])('of %s', (text, ms) => expect(spanMs(text)).toBe(ms))
})
