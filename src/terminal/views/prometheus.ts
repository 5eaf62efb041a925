import type { StatusResult } from '../../monitoring/status.js'
import type { StoreHealth } from '../../monitoring/store-health.js'
import { durationMs, isCritical } from './status-view.js'

interface Metric {
  name: string
  help: string
  value: number | undefined
}

/**
 * The status in Prometheus' text exposition format 0.0.4, for node_exporter's textfile collector. What is not known is left
 * out. All are gauges with the label `root`, so that several roots can be watched on one machine.
 */
export function metricsText(status: StatusResult): string {
  const root = `root="${escaped(status.root)}"`
  const ofRoot = metrics(status)
    .filter(({ value }) => value !== undefined && Number.isFinite(value))
    .map((one) => gaugeText(one, [`{${root}} ${one.value}`]))
  return [...ofRoot, ...storeMetrics(status, root)].join('')
}

function gaugeText({ name, help }: Pick<Metric, 'name' | 'help'>, values: string[]): string {
  return `# HELP pgbk_${name} ${help}
# TYPE pgbk_${name} gauge
${values.map((value) => `pgbk_${name}${value}\n`).join('')}`
}

/** With the label `store`, too. */
function storeMetrics({ stores }: StatusResult, root: string): string[] {
  if (stores.length === 0) return []
  const label = ({ name }: StoreHealth) => `{${root},store="${escaped(name)}"}`
  const last = stores.flatMap((store) =>
    store.last ? [`${label(store)} ${Date.parse(store.last.finished_at) / 1000}`] : [],
  )
  const lags = stores.flatMap((store) =>
    store.wal?.lagMs === undefined ? [] : [`${label(store)} ${store.wal.lagMs / 1000}`],
  )
  const missing = stores.map((store) => `${label(store)} ${store.missing.length}`)
  return [
    gaugesText('store_upload_timestamp_seconds', 'When the newest backup had come into a store.', last),
    gaugesText('store_missing_backups', 'Backups that were to come into a store, and have not.', missing),
    gaugesText('store_wal_lag_seconds', 'Time since all WAL had come into a store.', lags),
  ]
}

function gaugesText(name: string, help: string, values: string[]): string {
  return values.length === 0 ? '' : gaugeText({ name, help }, values)
}

function metrics(status: StatusResult): Metric[] {
  return [
    metric('ok', 'Whether pgbk status finds nothing critical.', flag(!isCritical(status))),
    metric('backups', 'How many whole backups there are.', status.count),
    ...ofNewest(status),
    ...ofWal(status),
    metric(
      'proof_timestamp_seconds',
      'When the newest proof that went well was made.',
      time(status.proof?.finished_at),
    ),
    metric('proof_age_seconds', 'Time since the newest proof that went well.', seconds(status.proofAgeMs)),
    metric('free_bytes', 'Bytes that are free where the backups are.', status.freeBytes),
    metric('last_create_success', 'Whether the last create made a backup.', flag(status.lastCreate?.ok)),
    metric(
      'last_create_timestamp_seconds',
      'When the last create ended.',
      time(status.lastCreate?.finished_at),
    ),
    metric('status_timestamp_seconds', 'When these figures were taken.', status.at.getTime() / 1000),
  ]
}

function ofNewest(status: StatusResult): Metric[] {
  const { newest, check, ageMs } = status
  return [
    metric('backup_timestamp_seconds', 'End of the newest whole backup.', time(newest?.summary.finished_at)),
    metric(
      'backup_age_seconds',
      'Time since the end of the newest whole backup, or since what its data are as of where a standby was behind.',
      seconds(ageMs),
    ),
    metric('backup_size_bytes', 'Size of the newest whole backup.', newest?.summary.size_bytes),
    metric(
      'backup_duration_seconds',
      'How long the newest whole backup has taken.',
      seconds(durationMs(status)),
    ),
    metric(
      'backup_check_failed',
      'Whether the newest check of the newest whole backup failed.',
      newest && flag(check === 'failed'),
    ),
  ]
}

function ofWal({ window, lagMs, receiver, retainedBytes }: StatusResult): Metric[] {
  return [
    metric(
      'window_end_timestamp_seconds',
      'To which time the newest whole backup can be restored.',
      time(window?.to),
    ),
    metric('lag_seconds', 'Time since the end of that window.', seconds(lagMs)),
    metric(
      'receiver_up',
      'Whether the WAL receiver is running, where one has ever run.',
      receiver === 'none' ? undefined : flag(receiver === 'alive'),
    ),
    metric('retained_wal_bytes', 'Bytes of WAL that the server keeps for the receiver.', retainedBytes),
  ]
}

function metric(name: string, help: string, value: number | undefined): Metric {
  return { name, help, value }
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}

function time(iso: string | undefined): number | undefined {
  return iso === undefined ? undefined : Date.parse(iso) / 1000
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
