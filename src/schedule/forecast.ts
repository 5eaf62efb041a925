import { spanMs } from '../retention/calendar.js'
import { type RetentionPolicy, removesAnything } from '../retention/retention.js'
import { daysBetween, type ScheduleTimes } from './times.js'

/** How much room the backups of a schedule will take. */
export interface Forecast {
  /** How many are kept at most, with the one that is made before others go; undefined where nothing goes. */
  count: number | undefined
  /** Bytes of one. */
  each: number
  /** Bytes that are free, and that the backups of today take. */
  room: number
}

const day = 86_400_000

/** At most so many backups stay; undefined for a policy that lets them pile up. */
export function keptBy(policy: RetentionPolicy | undefined, times: ScheduleTimes): number | undefined {
  if (!removesAnything(policy)) return undefined
  const { daily = 0, weekly = 0, monthly = 0, on_demand = 0, min = 0, window } = policy
  const forSpan = window === undefined ? 0 : Math.ceil(spanMs(window) / day / daysBetween(times)) + 1
  if (daily + weekly + monthly + forSpan === 0) return undefined
  return Math.max(min, daily + weekly + monthly + on_demand + forSpan) + 1
}

export function isTooMuch({ count, each, room }: Forecast): boolean {
  return (count ?? 1) * each > room
}
