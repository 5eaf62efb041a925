import { PgbkError } from '../errors.js'
import { parseLsn } from './lsn.js'

/** One timeline of a history, up to the position where the next one leaves it. */
export interface TimelineSwitch {
  timeline: number
  /** Where the next timeline begins. */
  switchLsn: bigint
}

/** More promotions than any cluster lives through. */
const mostAncestors = 1000

/**
 * The ancestors in a timeline's history file, oldest first: `1\t0/3000000\tno recovery target specified`
 * (readTimeLineHistory in src/backend/access/transam/timeline.c).
 * @throws {PgbkError} `damaged` for a line of another kind.
 */
export function parseHistory(text: string, name: string): TimelineSwitch[] {
  const lines = text.split('\n').filter((line) => /^\s*[^#\s]/.test(line))
  if (lines.length > mostAncestors)
    throw new PgbkError('damaged', `the timeline history ${name} has more than ${mostAncestors} lines`)
  return lines.map((line) => {
    const parts = /^\s*(\d+)\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(\s|$)/.exec(line)
    if (!parts)
      throw new PgbkError('damaged', `the timeline history ${name} is not understood: ${line.trim()}`)
    return { timeline: Number(parts[1]), switchLsn: parseLsn(parts[2] ?? '') }
  })
}

/** A timeline and the position from which on its own WAL counts. */
export interface TimelinePart {
  timeline: number
  fromLsn: bigint
}

/**
 * The way from a position on a timeline to the newest timeline that descends from it, the given one first. One that was left
 * before that position leads elsewhere.
 * @param histories the ancestors of each timeline whose history is known.
 */
export function timelinePath(
  from: number,
  position: bigint,
  histories: ReadonlyMap<number, TimelineSwitch[]>,
): TimelinePart[] {
  const descendants = [...histories].filter(([, ancestors]) =>
    ancestors.some(({ timeline, switchLsn }) => timeline === from && switchLsn >= position),
  )
  const [newest, ancestors = []] = descendants.sort(([one], [other]) => other - one)[0] ?? []
  const path: TimelinePart[] = [{ timeline: from, fromLsn: 0n }]
  const first = ancestors.findIndex(({ timeline }) => timeline === from)
  for (let index = Math.max(0, first); index < ancestors.length; index++) {
    const timeline = ancestors[index + 1]?.timeline ?? newest ?? from
    path.push({ timeline, fromLsn: ancestors[index]?.switchLsn ?? 0n })
  }
  return path
}
