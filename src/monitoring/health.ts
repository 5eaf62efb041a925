import type { StoredBackup } from '../catalog/backup.js'
import { windowStart } from '../catalog/data-time.js'
import type { CheckResult } from '../catalog/proof.js'
import type { PrintedCommand } from '../context.js'
import { formatDuration } from '../text/format.js'
import type { BackupWindow } from '../wal-coverage/window.js'
import type { ReceiverHealth, SlotHealth } from './receiver-health.js'

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
  slot?: SlotHealth
}

export interface HealthLimits {
  maxAgeMs: number
  maxProofAgeMs?: number | undefined
  maxLagMs?: number | undefined
}

const hour = 3_600_000

/** How old the newest backup may be: of daily ones two hours more than a day, of weekly ones a day more than a week. */
export const mostAgeMs = { daily: 26 * hour, weekly: 8 * 24 * hour }

/** How old the data of a backup are: since its end, or since how far a standby was. */
export function ageMsOf({ summary }: Pick<StoredBackup, 'summary'>, now: Date): number {
  return now.getTime() - Date.parse(windowStart(summary))
}

/** What breaks a WAL archive: a gap, or that the archive as a whole is of no use. */
export function breakOf({ gap, fault, segments }: BackupWindow): string | undefined {
  if (gap) return `${gap.missing}: ${gap.reason}`
  return segments === 0 ? fault : undefined
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
    figures.slot === 'lost' &&
      `the server has given up WAL that the receiver still needs: run ${pgbk('create')}`,
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
