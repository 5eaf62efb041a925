import { formatDuration, formatTime } from '../../text/format.js'
import type { BackupWindow } from '../../wal-coverage/window.js'

/** A window as programs get it. */
export function windowJson({ gap, fault, ...window }: BackupWindow): object {
  const { after = null, missing, next = null, reason } = gap ?? {}
  return { ...window, gap: gap ? { after, missing, next, reason } : null, fault: fault ?? null }
}

/** From when to when, and what its end is. */
export function windowText({ from, to, ends_with, segments, fault }: BackupWindow): string {
  const archive = `${segments} ${segments === 1 ? 'segment' : 'segments'} of WAL`
  if (fault !== undefined) return `from ${formatTime(from)}; how far is not known: ${fault}`
  if (ends_with === 'snapshot') return `${formatTime(from)}, the snapshot's end (${archive})`
  const length = formatDuration(Date.parse(to) - Date.parse(from))
  const end = ends_with === 'commit' ? 'the last commit' : 'all was received until then'
  return `${formatTime(from)} to ${formatTime(to)}: ${length}, ${end} (${archive})`
}

/** What a standby's data are as of shows where that is longer before the backup. */
const mostBehindMs = 5 * 60_000

/** For a list: how far a backup can be taken. Nothing where that is no further than its snapshot, made when the backup was. */
export function windowColumn(
  { to, ends_with, gap, fault }: BackupWindow,
  now: Date,
  startedAt: string,
): string {
  const isBehind = ends_with === 'snapshot' && Date.parse(startedAt) - Date.parse(to) > mostBehindMs
  const isNow = ends_with === 'caught-up' && now.getTime() - Date.parse(to) < 60_000
  const end = isBehind
    ? `as of ${formatTime(to)}`
    : ends_with === 'snapshot'
      ? ''
      : `to ${isNow ? 'now' : formatTime(to)}`
  const marks = [gap ? 'gap' : '', fault === undefined ? '' : 'unknown']
  return [end, ...marks].filter(Boolean).join(', ')
}

export function gapText({ gap }: Pick<BackupWindow, 'gap'>): string | undefined {
  if (!gap) return undefined
  const next = gap.next === undefined ? '' : `; the next one that is there is ${gap.next}`
  return `WAL segment ${gap.missing}: ${gap.reason}${next}`
}
