import type { Candidate, RetentionPolicy } from '../../src/retention/retention.js'

/** What an application of the policy was about: all that there were, and the ids that stay. */
export interface Pruning {
  all: Candidate[]
  stays: Set<string>
  policy: RetentionPolicy
  now: Date
  timeZone: string
}

/** Every promise of prune that is broken, told once more in other words than those of the program. */
export function brokenPromises(pruning: Pruning): string[] {
  const { all, stays } = pruning
  const broken: string[] = []
  for (const { id, whole, protectedBy } of all)
    if (!stays.has(id) && (!whole || protectedBy.length > 0)) broken.push(`${id} was protected`)
  for (const cluster of new Set(all.map((one) => one.cluster))) {
    const own = all.filter((one) => one.cluster === cluster && one.whole)
    broken.push(...brokenIn({ ...pruning, all: newestFirst(own) }))
  }
  return broken
}

function brokenIn(pruning: Pruning): string[] {
  const { all, stays, policy } = pruning
  const sound = all.filter(({ check }) => check !== 'failed')
  const must = new Map<string, string>()
  const add = (why: string, ...some: (Candidate | undefined)[]) => {
    for (const one of some) if (one) must.set(one.id, why)
  }
  add('the newest whole one', all[0])
  add('the newest that did not fail', sound[0])
  add(
    'the newest proven one',
    all.find(({ check }) => check === 'proven'),
  )
  add('of a day', ...newestOfEach(all, policy.daily, (one) => dayOf(one, pruning)))
  add('of a week', ...newestOfEach(all, policy.weekly, (one) => weekOf(dayOf(one, pruning))))
  add('of a month', ...newestOfEach(all, policy.monthly, (one) => dayOf(one, pruning).slice(0, 7)))
  const byHand = (one: Candidate) => one.kind === 'on-demand'
  const wanted = policy.on_demand ?? 0
  add(
    'made by hand',
    ...[...sound.filter(byHand), ...all.filter((one) => byHand(one) && one.check === 'failed')].slice(
      0,
      wanted,
    ),
  )
  for (const moment of momentsOf(pruning)) add('needed for a moment', neededFor(moment, all))
  const min = Math.min(policy.min ?? 0, all.length)
  const left = all.filter(({ id }) => stays.has(id))
  return [
    ...[...must].flatMap(([id, why]) => (stays.has(id) ? [] : [`${id} went, ${why}`])),
    ...(left.length < min ? [`${left.length} are left, fewer than ${min}`] : []),
    ...(left.filter((one) => sound.includes(one)).length < Math.min(min, sound.length)
      ? ['too few of those that are left did not fail']
      : []),
  ]
}

function newestFirst(some: Candidate[]): Candidate[] {
  return [...some].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
}

/** One that failed its check only where there is no other. */
function newestOfEach(all: Candidate[], count = 0, nameOf: (one: Candidate) => string): Candidate[] {
  const names = [...new Set(all.map(nameOf))].slice(0, count)
  return names.map((name) => {
    const some = all.filter((one) => nameOf(one) === name)
    return (some.find(({ check }) => check !== 'failed') ?? some[0]) as Candidate
  })
}

const calendars = new Map<string, Intl.DateTimeFormat>()

/** Sweden writes days as ISO 8601 does. */
function dayOf({ startedAt }: Candidate, { timeZone }: Pruning): string {
  const calendar = calendars.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone })
  calendars.set(timeZone, calendar)
  return calendar.format(startedAt)
}

/** The Monday that the week of a day begins with. */
function weekOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1)
  return date.toISOString()
}

/** The two ends of the span, every backup's own moment in it, and the one just before that. */
function momentsOf({ all, policy, now }: Pruning): number[] {
  if (policy.window === undefined) return []
  const start = now.getTime() - Number.parseInt(policy.window, 10) * 86_400_000
  const inside = all.map(({ window }) => window.from).filter((from) => from > start && from <= now.getTime())
  return [start, now.getTime(), ...inside.flatMap((from) => [from, from - 1])]
}

function neededFor(moment: number, all: Candidate[]): Candidate | undefined {
  const able = all.filter(({ window }) => window.from <= moment)
  return able.find(({ check }) => check !== 'failed') ?? able[0]
}
