import type { StoredBackup } from '../../catalog/backup.js'
import type { StatusResult } from '../../monitoring/status.js'
import type { StoreHealth } from '../../monitoring/store-health.js'
import { formatAge, formatAgo, formatBytes, formatDuration } from '../../text/format.js'
import { proofText } from '../parts/proof-text.js'
import { printable, type Screen } from '../screen.js'

export function statusJson(status: StatusResult): object {
  const { newest, window, lastCreate, problems, limits } = status
  const seconds = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms / 1000))
  return {
    ok: !isCritical(status),
    problems,
    root: status.root,
    at: status.at.toISOString(),
    backups: status.count,
    newest: newest?.id ?? null,
    age_seconds: seconds(status.ageMs),
    size_bytes: newest?.summary.size_bytes ?? null,
    duration_seconds: seconds(durationMs(status)),
    window_end: window?.to ?? null,
    lag_seconds: seconds(status.lagMs),
    receiver: status.receiver,
    handing_over_to: status.handsOverTo ?? null,
    retained_wal_bytes: status.retainedBytes ?? null,
    check: status.check,
    proof_age_seconds: seconds(status.proofAgeMs),
    free_bytes: status.freeBytes ?? null,
    last_create: lastCreate ?? null,
    stores: status.stores.map(({ name, upload, last, missing, wal }) => ({
      name,
      upload,
      last_backup: last?.backup ?? null,
      last_upload_at: last?.finished_at ?? null,
      missing: missing.map(({ backup, since, error, isComing }) => ({
        backup,
        since,
        error,
        sending: isComing,
      })),
      wal_sent_at: wal?.at ?? null,
      wal_lag_seconds: seconds(wal?.lagMs),
      wal_error: wal?.error ?? null,
    })),
    limits: {
      max_age_seconds: seconds(limits.maxAgeMs),
      max_proof_age_seconds: seconds(limits.maxProofAgeMs),
      max_lag_seconds: seconds(limits.maxLagMs),
    },
  }
}

export function isCritical({ problems }: StatusResult): boolean {
  return problems.some(({ severity }) => severity === 'critical')
}

/** How long the newest backup has taken. */
export function durationMs({ newest }: StatusResult): number | undefined {
  if (!newest) return undefined
  const { started_at, finished_at } = newest.summary
  return Math.max(0, Date.parse(finished_at) - Date.parse(started_at))
}

export function statusText(status: StatusResult, { style }: Screen): string {
  const word = isCritical(status)
    ? style.bad('failed')
    : status.problems.length > 0
      ? style.warning('warning')
      : style.good('ok')
  return `${word}: ${summaryText(status)}\n`
}

/** What is wrong, if anything is, and then the figures, in one line. */
export function summaryText(status: StatusResult): string {
  return printable([...status.problems.map(({ text }) => text), figuresText(status)].join('; '))
}

function figuresText(status: StatusResult): string {
  const { newest, freeBytes, root, at, receiver, lagMs, handsOverTo, retainedBytes } = status
  const free = freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free in ${root}`]
  if (!newest) return free.join('') || `there is no directory ${root}`
  const took = formatDuration(durationMs(status) ?? 0)
  const proof = proofText(newest.proof, at)
  const isReceiving = receiver === 'alive' && lagMs !== undefined
  return [
    `${newest.id}, ${ageText(status.ageMs ?? 0, newest.summary, at)}, ${formatBytes(newest.summary.size_bytes)} in ${took}`,
    ...(proof === '' ? [] : [proof]),
    ...(isReceiving ? [`WAL until ${formatDuration(Math.max(0, lagMs))} ago`] : []),
    ...(handsOverTo ? [`the receiver hands over to ${handsOverTo}`] : []),
    ...status.stores.map((store) => storeText(store, at)),
    ...(retainedBytes ? [`the server keeps ${formatBytes(retainedBytes)} of WAL`] : []),
    ...free,
  ].join('; ')
}

/** What a store got last, and how much it lacks. */
function storeText({ name, last, missing, wal }: StoreHealth, at: Date): string {
  const got = last
    ? `${last.backup} since ${formatAgo(at.getTime() - Date.parse(last.finished_at))}`
    : 'no backup yet'
  const sent = wal?.lagMs === undefined ? '' : `, WAL until ${formatDuration(wal.lagMs)} ago`
  return `store ${name}: ${got}${missing.length === 0 ? '' : `, ${missing.length} missing`}${sent}`
}

/** A backup that was made from a standby may be younger than its data. */
function ageText(ms: number, { finished_at, standby }: StoredBackup['summary'], at: Date): string {
  const age = formatAge(ms)
  if (standby && formatAge(at.getTime() - Date.parse(finished_at)) !== age) return `data ${age} old`
  return age === 'just now' || age === 'in the future' ? age : `${age} old`
}
