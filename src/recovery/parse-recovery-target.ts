import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { formatTimes } from '../text/format.js'
import { shortInstant } from '../text/instant.js'
import { parseLsn } from '../wal-segments/lsn.js'
import { parseTime } from './parse-time.js'
import type { RecoveryTarget, TargetPoint } from './recovery-target.js'

/** The options that name a recovery target. */
export interface TargetOptions {
  toTime?: string
  toLsn?: string
  toXid?: string
  toName?: string
  toLatest?: boolean
  toSnapshot?: boolean
  exclusive?: boolean
  timeline?: number
  pause?: boolean
}

/** How a command differs from others that are given a recovery target. */
export interface TargetRules {
  /** Which target is meant when none is named. */
  fallback: TargetPoint
  /** Whether a time without a zone is refused where nobody can look at what was made of it. */
  zoneNeeded: boolean
}

/**
 * Reads the options that name a recovery target; a time without a zone is said back with the zone that was assumed.
 * @throws {PgbkError} `usage`.
 */
export function parseRecoveryTarget(options: TargetOptions, rules: TargetRules, task: Task): RecoveryTarget {
  const point = parsePoint(options, rules, task) ?? rules.fallback
  const { exclusive = false, pause = false, timeline } = options
  if (exclusive && ['snapshot', 'latest'].includes(point.kind))
    throw new PgbkError('usage', '--exclusive needs --to-time, --to-lsn, --to-xid or --to-name')
  if (pause && point.kind === 'snapshot')
    throw new PgbkError('usage', '--pause needs a recovery target to pause at', {
      hint: 'Name one with --to-time, --to-latest ...',
    })
  return { point, exclusive, pause, timeline }
}

function parsePoint(options: TargetOptions, rules: TargetRules, task: Task): TargetPoint | undefined {
  const { toTime, toLsn, toXid, toName, toLatest, toSnapshot } = options
  const named = [toTime, toLsn, toXid, toName, toLatest, toSnapshot].filter((one) => one !== undefined)
  if (named.length > 1)
    throw new PgbkError('usage', 'more than one recovery target is given', {
      hint: 'Use only one of the --to-... options.',
    })
  if (toTime !== undefined) return { kind: 'time', time: readTime(toTime, rules, task) }
  if (toLsn !== undefined) return { kind: 'lsn', lsn: readLsn(toLsn) }
  if (toXid !== undefined) return { kind: 'xid', xid: readXid(toXid) }
  if (toName !== undefined) return { kind: 'name', name: toName }
  if (toLatest) return { kind: 'latest' }
  return toSnapshot ? { kind: 'snapshot' } : undefined
}

function readTime(text: string, { zoneNeeded }: TargetRules, { settings, context }: Task): string {
  const zone = settings.time_zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone
  const { instant, assumedZone } = parseTime(text, context.now(), zone)
  if (assumedZone === undefined) return instant
  if (zoneNeeded && !context.ask)
    throw new PgbkError('usage', `${JSON.stringify(text)} has no time zone`, {
      hint: `Without a terminal, restore needs one. In ${assumedZone} it is ${shortInstant(instant)}.`,
    })
  context.progress.say(`${text} is taken as local time in ${assumedZone}: ${formatTimes(instant)}`)
  return instant
}

function readLsn(text: string): string {
  try {
    parseLsn(text)
    return text.toUpperCase()
  } catch (cause) {
    throw new PgbkError('usage', `${JSON.stringify(text)} is not an LSN`, {
      cause,
      hint: 'An LSN looks like 16/B374D848.',
    })
  }
}

function readXid(text: string): string {
  // pg_current_xact_id() counts on where the WAL, and recovery, begin again after 32 bits.
  if (/^\d{1,20}$/.test(text)) return String(BigInt(text) % 2n ** 32n)
  throw new PgbkError('usage', `${JSON.stringify(text)} is not a transaction id`, {
    hint: 'It is a number, as pg_current_xact_id() gives it.',
  })
}
