import { PgbkError } from '../errors.js'

/** When backups are made, by the clock of the machine. */
export interface ScheduleTimes {
  hour: number
  minute: number
  /** 0 is Sunday; undefined is every day. */
  weekday: number | undefined
}

/** By their number in crontab(5). */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** Reads `03:00`, or `sun 03:00`. @throws {PgbkError} `usage` for anything else. */
export function parseTimes(text: string, every: 'day' | 'week'): ScheduleTimes {
  const [, day, hour, minute] = /^(?:([a-z]{3,9}) +)?(\d{1,2}):(\d\d)$/i.exec(text.trim()) ?? []
  const weekday = day === undefined ? undefined : weekdayOf(day)
  const isTime = hour !== undefined && Number(hour) < 24 && Number(minute) < 60
  if (isTime && (every === 'day' ? day === undefined : weekday !== undefined))
    return { hour: Number(hour), minute: Number(minute), weekday }
  throw new PgbkError('usage', `${JSON.stringify(text)} is not a time of a ${every}`, {
    hint:
      every === 'day'
        ? 'Write it as in --daily 03:00.'
        : 'Write it as in --weekly sun 03:00 (mon, tue, wed, thu, fri, sat).',
  })
}

/** English names and their beginnings: `sun`, `Sund`, `sunday`. */
function weekdayOf(name: string): number | undefined {
  const full = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
  const index = full.findIndex((day) => day.startsWith(name.toLowerCase()))
  return index === -1 ? undefined : index
}

/** The five fields of crontab(5). */
export function crontabFields({ hour, minute, weekday }: ScheduleTimes): string {
  return `${minute} ${hour} * * ${weekday ?? '*'}`
}

/** As systemd.time(7) has it. */
export function calendarEvent({ hour, minute, weekday }: ScheduleTimes): string {
  const name = weekdays[weekday ?? -1]
  const digits = (value: number) => String(value).padStart(2, '0')
  const day = name === undefined ? '' : `${name[0]?.toUpperCase()}${name.slice(1)} `
  return `${day}*-*-* ${digits(hour)}:${digits(minute)}:00`
}

export function daysBetween({ weekday }: ScheduleTimes): number {
  return weekday === undefined ? 1 : 7
}
