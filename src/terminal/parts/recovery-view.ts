import { type LocalBackup, recordOf } from '../../catalog/backup.js'
import type { RecoveryResult } from '../../recovery/await-recovery.js'
import type { RecoveryPlan } from '../../recovery/recovery-plan.js'
import { formatAgo, formatBytes, formatTimes } from '../../text/format.js'
import { printable, type Style } from '../screen.js'

/** A name and what stands behind it. */
export type Row = [name: string, value: string]

export function rowsText(rows: Row[], style?: Style): string {
  const paint = (name: string) => (style ? style.faint(name) : name)
  return rows.map(([name, value]) => `${paint(name.padEnd(11))}${value}`).join('\n')
}

/** Which backup is taken to which target, and how. */
export function planRows(backup: LocalBackup, plan: RecoveryPlan, now: Date): Row[] {
  const { server } = recordOf(backup)
  return [
    ['Backup', printable(`${backup.id}, PostgreSQL ${server.version}, from ${server.host}:${server.port}`)],
    [
      'Data as of',
      plan.asOf === undefined
        ? plan.targetText
        : `${formatTimes(plan.asOf)} (${ago(plan.asOf, now)}), ${plan.targetText}`,
    ],
    ['Archive', `reaches to ${formatTimes(plan.until)}${gapText(plan)}`],
    ['WAL', walText(plan)],
  ]
}

function gapText({ gap }: RecoveryPlan): string {
  return gap ? `; nothing after it: ${gap.missing}: ${gap.reason}` : ''
}

function walText({ wal, recovery, switches }: RecoveryPlan): string {
  if (!recovery) return 'only that of the snapshot'
  const over = switches.map(({ timeline, lsn }) => `, over a switch to timeline ${timeline} at ${lsn}`)
  return `${wal.segments} segment${wal.segments === 1 ? '' : 's'} to replay, ${formatBytes(wal.bytes)}${over.join('')}`
}

export function ago(time: string, now: Date): string {
  return formatAgo(now.getTime() - Date.parse(time))
}

/** What was reached, once it is known. */
export function recoveryResultText(
  { targetText, asOf }: RecoveryPlan,
  recoveryResult: RecoveryResult | undefined,
): string {
  const time = recoveryResult?.commitTime
  if (time !== undefined) return `${targetText}; the last commit was at ${formatTimes(time)}`
  return asOf === undefined ? targetText : formatTimes(asOf)
}

export function recoveryJson(plan: RecoveryPlan, recoveryResult?: RecoveryResult): object {
  return {
    goal: plan.targetText,
    as_of: plan.asOf ?? null,
    archive_until: plan.until,
    wal: plan.wal,
    reached_lsn: recoveryResult?.lsn ?? null,
    last_commit_at: recoveryResult?.commitTime ?? null,
  }
}
