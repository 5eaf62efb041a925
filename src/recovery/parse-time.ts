import { PgbkError } from '../errors.js'
import { type Instant, instantOf } from '../text/instant.js'

interface ParsedTime {
  instant: Instant
  /** The zone by which a time that named none was read; undefined when it named one, or was relative. */
  assumedZone: string | undefined
}

const pattern =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?)?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|[A-Za-z_]+\/[\w/+-]+)?$/

/**
 * Reads a time as people write it: ISO 8601 with or without a zone (an offset, or a name like `Europe/Berlin`), or relative to
 * now: `10 minutes ago`.
 * @throws {PgbkError} `usage` for anything else, and for a local time that the clocks skip or have twice.
 */
export function parseTime(text: string, now: Date, timeZone: string): ParsedTime {
  const relative = /^(\d+) (second|minute|hour|day|week)s? ago$/.exec(text.trim())
  if (relative) {
    const ms = Number(relative[1]) * (unitMs[relative[2] ?? ''] ?? 0)
    return { instant: instantOf(new Date(now.getTime() - ms).toISOString()), assumedZone: undefined }
  }
  const [, day, minute = '00:00', second = '00', fraction = '', zone] = pattern.exec(text.trim()) ?? []
  const wall = `${day}T${minute}:${second}`
  if (day === undefined || Number.isNaN(Date.parse(`${wall}Z`)) || !sameDay(day)) throw notUnderstood(text)
  const micros = fraction.padEnd(6, '0')
  const complete = (date: Date) => `${date.toISOString().slice(0, 19)}.${micros}Z`
  const offset = offsetOf(zone)
  if (offset !== undefined)
    return { instant: complete(new Date(Date.parse(`${wall}Z`) - offset)), assumedZone: undefined }
  const name = zone ?? timeZone
  const instants = instantsOf(wall, checkZone(name, text))
  const [first] = instants
  if (instants.length > 1) throw ambiguous(text, name, instants)
  if (!first)
    throw new PgbkError('usage', `${text} does not exist in ${name}: the clocks were put forward over it`, {
      hint: 'Name the zone, as in 2026-03-29T01:30:00Z.',
    })
  return { instant: complete(first), assumedZone: zone === undefined ? name : undefined }
}

const unitMs: Record<string, number> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
}

/** JavaScript takes the 31st of February for a day in March. */
function sameDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}

/** Milliseconds; undefined for none and for a named zone. */
function offsetOf(zone: string | undefined): number | undefined {
  if (zone === undefined) return undefined
  if (/^(Z|UTC|GMT)$/.test(zone)) return 0
  // PostgreSQL takes no offset of 16 hours or more (MAX_TZDISP_HOUR in src/include/datatype/timestamp.h).
  const [, sign, hours, minutes = '0'] = /^([+-])(0\d|1[0-5]):?([0-5]\d)?$/.exec(zone) ?? []
  if (sign === undefined) return undefined
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}

function checkZone(name: string, text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch (cause) {
    throw new PgbkError('usage', `${text}: there is no time zone ${name}`, { cause })
  }
}

/** All instants at which clocks of a zone show this time: usually one; none or two where they are changed. */
function instantsOf(wall: string, timeZone: string): Date[] {
  const asUtc = Date.parse(`${wall}Z`)
  const candidates = [-86_400_000, 86_400_000].map((away) => asUtc - offsetAt(asUtc + away, timeZone))
  return [...new Set(candidates)]
    .filter((time) => time + offsetAt(time, timeZone) === asUtc)
    .sort((a, b) => a - b)
    .map((time) => new Date(time))
}

/** By how many ms the clocks of a zone are ahead of UTC. */
function offsetAt(time: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
  const shown = Date.parse(
    `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}Z`,
  )
  return shown - Math.floor(time / 1000) * 1000
}

function ambiguous(text: string, zone: string, instants: Date[]): PgbkError {
  const choices = instants.map((one) => `  ${one.toISOString().replace('.000Z', 'Z')}`).join('\n')
  return new PgbkError('usage', `${text} happened twice in ${zone}: the clocks were put back over it`, {
    hint: `Write which of the two is meant:\n${choices}`,
  })
}

function notUnderstood(text: string): PgbkError {
  return new PgbkError('usage', `${JSON.stringify(text)} is not a time`, {
    hint: 'Write it as 2026-11-20T15:04:00Z, "2026-11-20 15:04:00+01", "2026-11-20 15:04 Europe/Berlin", or "10 minutes ago".',
  })
}
