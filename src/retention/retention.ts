import type { CheckResult } from '../catalog/proof.js'
import { calendarIn, type Period, spanMs } from './calendar.js'

/** `retention` of the configuration. */
export interface RetentionPolicy {
  daily?: number | undefined
  weekly?: number | undefined
  monthly?: number | undefined
  on_demand?: number | undefined
  min?: number | undefined
  /** A span, as the configuration calls it; what a backup can be restored to, its window, is a `BackupWindow`. */
  window?: string | undefined
  /** The span up to now in which every moment stays reachable, as far as there is WAL and a backup before it. */
  wal?: string | undefined
  /** How old backups are when they are packed: of what goes, it says nothing. */
  pack_after?: string | undefined
}

/** For unattended backups where the configuration has no policy. */
export const scheduledPolicy: RetentionPolicy = { daily: 7, on_demand: 3, min: 2, wal: '7 days' }

/**
 * The policy that counts.
 * @param byDefault whether that of unattended backups does where the configuration has none.
 */
export function policyOf(
  retention: RetentionPolicy | undefined,
  byDefault: boolean,
): RetentionPolicy | undefined {
  const { pack_after: _forms, ...rules } = retention ?? {}
  if (Object.values(rules).some((rule) => rule !== undefined)) return rules
  return byDefault ? scheduledPolicy : undefined
}

/** Why a backup stays. */
export interface Reason {
  rule: string
  /** What about this backup makes the rule keep it. */
  detail?: string
}

/** What the policy looks at in a backup. */
export interface Candidate {
  id: string
  startedAt: Date
  kind: 'scheduled' | 'on-demand'
  whole: boolean
  /** Its newest check. */
  check: CheckResult
  /** The system identifier of its cluster; each is judged by itself. */
  cluster: string
  /** The times that it can be restored to, in ms; where the end is not known, it counts as reaching as far as it is asked. */
  window: { from: number; to?: number }
  /** Why it must stay whatever the policy says: held, in use. */
  protectedBy: Reason[]
}

interface RetentionOptions {
  now: Date
  /** For the calendar; undefined is the system's. */
  timeZone: string | undefined
}

/** Whether a policy says which backups may go: `min` alone only says which may not. */
export function removesAnything(policy: RetentionPolicy | undefined): policy is RetentionPolicy {
  return policy !== undefined && (isTimed(policy) || policy.on_demand !== undefined)
}

/**
 * Why each backup stays, by id; one without a reason goes. docs/configuration.md explains every rule. The promises: of each
 * cluster the newest whole backup stays, the newest that no check has failed, the newest proven one, `min` whole ones, and all
 * that are protected or not whole.
 */
export function judge(
  candidates: Candidate[],
  policy: RetentionPolicy,
  options: RetentionOptions,
): Map<string, Reason[]> {
  const reasons = new Map(candidates.map(({ id, protectedBy }) => [id, [...protectedBy]]))
  const keep: Keep = (kept, rule, detail) =>
    void reasons.get(kept.id)?.push(detail === undefined ? { rule } : { rule, detail })
  const newestFirst = [...candidates].sort((a, b) => (a.id < b.id ? 1 : -1))
  for (const cluster of new Set(newestFirst.map((candidate) => candidate.cluster))) {
    const own = newestFirst.filter((candidate) => candidate.cluster === cluster)
    judgeCluster(own, policy, options, keep)
    keepMinimum(own.filter(isWhole), policy.min ?? 0, reasons, keep)
  }
  return reasons
}

type Keep = (kept: Candidate, rule: string, detail?: string) => void

function judgeCluster(
  own: Candidate[],
  policy: RetentionPolicy,
  options: RetentionOptions,
  keep: Keep,
): void {
  const whole = own.filter(isWhole)
  for (const used of own.filter((candidate) => !candidate.whole))
    keep(used, 'not whole', 'only pgbk delete removes it')
  keepAlways(whole, keep)
  const nameOf = calendarIn(options.timeZone)
  const periods: [string, Period, number | undefined][] = [
    ['daily', 'day', policy.daily],
    ['weekly', 'week', policy.weekly],
    ['monthly', 'month', policy.monthly],
  ]
  for (const [rule, period, count = 0] of periods)
    keepPeriods(
      whole,
      count,
      (time) => nameOf(time, period),
      (kept, name) => keep(kept, rule, name),
    )
  const onDemand = whole.filter(({ kind }) => kind === 'on-demand')
  for (const kept of bestFirst(onDemand).slice(0, policy.on_demand ?? 0)) keep(kept, 'on_demand')
  if (policy.window !== undefined)
    keepForSpan(whole, options.now.getTime() - spanMs(policy.window), (kept) =>
      keep(kept, 'window', policy.window),
    )
  if (isTimed(policy)) return
  for (const kept of whole.filter(({ kind }) => kind === 'scheduled'))
    keep(kept, 'scheduled', 'the policy has only on_demand')
}

function keepAlways(whole: Candidate[], keep: Keep): void {
  const [newest] = whole
  if (newest) keep(newest, 'newest whole')
  const sound = whole.find(({ check }) => check !== 'failed')
  if (sound && sound !== newest) keep(sound, 'newest that no check failed')
  const proven = whole.find(({ check }) => check === 'proven')
  if (proven) keep(proven, 'newest proven')
}

/**
 * The newest of each of the newest periods that have any; periods without a backup do not count. Those in which all have failed
 * push no good one out.
 */
function keepPeriods(
  whole: Candidate[],
  count: number,
  nameOf: (time: Date) => string,
  keepOne: (kept: Candidate, name: string) => void,
): void {
  const found = new Map<string, Candidate>()
  for (const candidate of whole) {
    const name = nameOf(candidate.startedAt)
    const before = found.get(name)
    if (before === undefined || isBetter(candidate, before)) found.set(name, candidate)
  }
  const periods = [...found].sort(([a], [b]) => (a < b ? 1 : -1))
  const good = periods.filter(([, { check }]) => check !== 'failed')
  for (const [name, kept] of new Set([...periods.slice(0, count), ...good.slice(0, count)]))
    keepOne(kept, name)
}

/**
 * All that begin after the start of the span, and the newest that begins before it. Where it is known that this one does not
 * reach the span, also the newest that does.
 */
function keepForSpan(whole: Candidate[], start: number, keepOne: (kept: Candidate) => void): void {
  const before = whole.filter(({ window }) => window.from <= start)
  const sound = before.filter(({ check }) => check !== 'failed')
  const [first] = sound.length > 0 ? sound : before
  const reaches = ({ window }: Candidate) => window.to === undefined || window.to >= start
  const reaching = sound.find(reaches) ?? before.find(reaches)
  for (const candidate of whole)
    if (candidate.window.from > start || candidate === first || candidate === reaching) keepOne(candidate)
}

/** Counts those that no check has failed, as far as there are so many. */
function keepMinimum(whole: Candidate[], min: number, reasons: Map<string, Reason[]>, keep: Keep): void {
  const stays = ({ id }: Candidate) => (reasons.get(id)?.length ?? 0) > 0
  for (const enough of [whole.filter(({ check }) => check !== 'failed'), whole]) {
    const missing = min - enough.filter(stays).length
    const going = enough.filter((candidate) => !stays(candidate))
    for (const kept of going.slice(0, Math.max(0, missing))) keep(kept, 'min', `of ${min}`)
  }
}

/** A backup that failed its check takes a place only where no other does. */
function bestFirst(newestFirst: Candidate[]): Candidate[] {
  return [
    ...newestFirst.filter(({ check }) => check !== 'failed'),
    ...newestFirst.filter(({ check }) => check === 'failed'),
  ]
}

function isBetter(candidate: Candidate, before: Candidate): boolean {
  return before.check === 'failed' && candidate.check !== 'failed'
}

function isWhole({ whole }: Candidate): boolean {
  return whole
}

function isTimed({ daily, weekly, monthly, window }: RetentionPolicy): boolean {
  return [daily, weekly, monthly, window].some((rule) => rule !== undefined)
}
