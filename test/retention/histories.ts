import { idOf } from '../../src/catalog/id.js'
import { type Candidate, judge, type RetentionPolicy } from '../../src/retention/retention.js'

/** A whole, scheduled backup that nobody holds or has checked; it took ten minutes. */
export function aCandidate(started: string | Date, changes: Partial<Candidate> = {}): Candidate {
  const startedAt = new Date(started)
  return {
    id: idOf(startedAt),
    startedAt,
    kind: 'scheduled',
    whole: true,
    check: 'none',
    cluster: 'one',
    window: { from: startedAt.getTime() + 600_000 },
    protectedBy: [],
    ...changes,
  }
}

/** At 03:00 of so many days up to this one. */
export function dailyUntil(last: string, count: number, changes: Partial<Candidate> = {}): Candidate[] {
  const newest = Date.parse(`${last}T03:00:00Z`)
  return Array.from({ length: count }, (_, index) =>
    aCandidate(new Date(newest - index * 86_400_000), changes),
  )
}

/** The rules that keep each backup, by id; one that goes has none. */
export function judged(
  candidates: Candidate[],
  policy: RetentionPolicy,
  now: string | Date = '2026-11-20T12:00:00Z',
  timeZone = 'UTC',
): Record<string, string[]> {
  const reasons = judge(candidates, policy, { now: new Date(now), timeZone })
  return Object.fromEntries(
    [...reasons].map(([id, list]) => [
      id,
      list.map(({ rule, detail }) => [rule, detail].filter(Boolean).join(' ')),
    ]),
  )
}

/** The ids that stay, oldest first. */
export function staying(...args: Parameters<typeof judged>): string[] {
  return Object.entries(judged(...args))
    .filter(([, reasons]) => reasons.length > 0)
    .map(([id]) => id)
    .sort()
}
