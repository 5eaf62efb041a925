import type { StatusResult } from '../../monitoring/status.js'
import { durationMs, isCritical, summaryText } from './status-view.js'

/** Exit statuses of a plugin (Monitoring Plugins Development Guidelines, "Plugin Return Codes"). */
const states = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const

interface PluginOutput {
  exitStatus: number
  text: string
}

/** One line for Nagios, Icinga and their like: a state, what is wrong, and performance data behind the bar. */
export function nagiosOutput(status: StatusResult): PluginOutput {
  const exitStatus = isCritical(status) ? 2 : status.problems.length > 0 ? 1 : 0
  const text = summaryText(status).replaceAll('|', '/')
  return { exitStatus, text: `PGBK ${states[exitStatus]} - ${text} | ${performanceData(status)}\n` }
}

export function nagiosUnknown(message: string): PluginOutput {
  return { exitStatus: 3, text: `PGBK UNKNOWN - ${message.replaceAll('|', '/').replaceAll('\n', ' ')}\n` }
}

/** `'label'=value[UOM];[warn];[crit];[min];[max]`, where there is a value. */
function performanceData(status: StatusResult): string {
  const { limits } = status
  const seconds = (label: string, ms: number | undefined, maxMs?: number) =>
    ms === undefined ? [] : [`${label}=${whole(ms)}s;;${maxMs === undefined ? '' : whole(maxMs)};0`]
  const bytes = (label: string, value: number | undefined) =>
    value === undefined ? [] : [`${label}=${value}B;;;0`]
  return [
    ...seconds('age', status.ageMs, limits.maxAgeMs),
    ...bytes('size', status.newest?.summary.size_bytes),
    ...seconds('duration', durationMs(status)),
    ...seconds('lag', status.lagMs, limits.maxLagMs),
    ...bytes('retained_wal', status.retainedBytes),
    ...seconds('proof_age', status.proofAgeMs, limits.maxProofAgeMs),
    ...bytes('free', status.freeBytes),
    `backups=${status.count};;;0`,
    ...status.stores.flatMap(({ name, last, missing, wal }) => [
      ...seconds(`store_${name}_age`, last ? status.at.getTime() - Date.parse(last.finished_at) : undefined),
      `store_${name}_missing=${missing.length};;;0`,
      ...seconds(`store_${name}_lag`, wal?.lagMs),
    ]),
  ].join(' ')
}

function whole(ms: number): number {
  return Math.max(0, Math.round(ms / 1000))
}
