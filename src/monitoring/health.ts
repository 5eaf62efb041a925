import type { CheckResult } from '../catalog/proof.js'
import type { PrintedCommand } from '../context.js'
import { formatDuration } from '../text/units.js'

/** What tells how well a root is looked after. Spans are milliseconds. */
export interface HealthFigures {
  /** Since what the newest whole backup's snapshot is as of: its end, or how far a standby was; undefined where there is none. */
  ageMs: number | undefined
  /** What its newest check found. */
  check: CheckResult
  /** Since the newest proof of any whole backup that went well. */
  proofAgeMs: number | undefined
  /** From the end of the newest whole backup's window to now: what would be lost if the server were lost now. */
  lagMs: number | undefined
  /** What breaks its WAL archive. */
  gap: string | undefined
  /** Why the last create failed, if it did. */
  createFailure: string | undefined
  receiver: ReceiverHealth
  /** The server has given up WAL that its slot was to keep. */
  isSlotLost?: boolean
}

/** `ended`: somebody told it to end. `lost`: it is gone, and nobody did. */
export type ReceiverHealth = 'none' | 'alive' | 'ended' | 'lost'

export interface HealthLimits {
  maxAgeMs: number
  maxProofAgeMs?: number | undefined
  maxLagMs?: number | undefined
}

export interface Problem {
  /** `critical`: a promise that was asked for does not hold. `warning`: it still does, but somebody should look. */
  severity: 'critical' | 'warning'
  text: string
}

/** What is wrong, the worst first. */
export function judgeHealth(figures: HealthFigures, limits: HealthLimits, pgbk: PrintedCommand): Problem[] {
  const critical = [ageProblem(figures, limits), checkProblem(figures), ...limitProblems(figures, limits)]
  const warnings = [
    figures.createFailure && `the last create failed: ${figures.createFailure}`,
    figures.check === 'unproven' && 'the newest backup could not be proven',
    figures.gap && `the WAL archive of the newest backup is broken: ${figures.gap}`,
    figures.receiver === 'lost' && 'the WAL receiver is not running',
    figures.isSlotLost && `the server has given up WAL that the receiver still needs: run ${pgbk('create')}`,
  ]
  return [...problems('critical', critical), ...problems('warning', warnings)]
}

type Finding = string | false | undefined

function problems(severity: Problem['severity'], findings: Finding[]): Problem[] {
  return findings.flatMap((text) => (text ? [{ severity, text }] : []))
}

function ageProblem({ ageMs }: HealthFigures, { maxAgeMs }: HealthLimits): Finding {
  if (ageMs === undefined) return 'there is no whole backup'
  return ageMs > maxAgeMs && `the newest backup is older than ${formatDuration(maxAgeMs)}`
}

function checkProblem({ check }: HealthFigures): Finding {
  return check === 'failed' && 'the newest check of the newest backup failed'
}

function limitProblems(
  { proofAgeMs, lagMs }: HealthFigures,
  { maxProofAgeMs, maxLagMs }: HealthLimits,
): Finding[] {
  return [
    maxProofAgeMs !== undefined &&
      !(proofAgeMs !== undefined && proofAgeMs <= maxProofAgeMs) &&
      (proofAgeMs === undefined
        ? 'no backup is proven'
        : `the newest proof is older than ${formatDuration(maxProofAgeMs)}`),
    maxLagMs !== undefined &&
      lagMs !== undefined &&
      lagMs > maxLagMs &&
      `the window of the newest backup ends more than ${formatDuration(maxLagMs)} ago`,
  ]
}
