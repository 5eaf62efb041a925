import type { LocalRunResult, RunPlan } from '../../run/local-run.js'
import { formatBytes, formatTimes } from '../../text/format.js'
import { databaseWord, shellWord } from '../../text/shell-word.js'
import {
  ago,
  planRows,
  type Row,
  recoveryJson,
  recoveryResultText,
  rowsText,
} from '../parts/recovery-view.js'
import type { Screen } from '../screen.js'
import { runJson } from './instance-view.js'

export function localRunJson({ run, written, fetched, recovery }: LocalRunResult): object {
  return {
    run: {
      ...runJson(run.directory, written, fetched),
      log: run.log,
      ...recoveryJson(recovery, run.recoveryResult),
    },
  }
}

/** What will be done; for the time before it is done, and for a dry run. */
export function runPlanText({ backup, recovery }: RunPlan, now: Date): string {
  return rowsText(planRows(backup, recovery, now))
}

export function runPlanJson({ backup, recovery }: RunPlan): object {
  return { plan: { backup: backup.id, ...recoveryJson(recovery) } }
}

/** What a person wants to see when the server is ready. */
export function localRunText(
  { backup, recovery, run, written, fetched, detached }: LocalRunResult,
  { style, now, quiet, pgbk }: Screen,
): string {
  if (quiet) return ''
  const asOf =
    run.recoveryResult || recovery.asOf === undefined
      ? recoveryResultText(recovery, run.recoveryResult)
      : `${formatTimes(recovery.asOf)} (${ago(recovery.asOf, now)})`
  const rows: Row[] = [
    ['Backup', backup.id],
    ['Data as of', asOf],
    ...(run.recoveryResult?.paused ? pausedRows : []),
    [
      'psql',
      style.strong(
        `psql -h ${shellWord(run.directory.sockets)} -p ${run.port} -U ${shellWord(run.role)} ${databaseWord(run.database)}`,
      ),
    ],
    ['URL', run.url],
    ['Log', run.log],
    ['Copy', `${run.kind}: ${howCopied(run, written)}`],
    ...(fetched === undefined ? [] : [fetchedRow(run, fetched)]),
    ['Stop', detached ? pgbk(`instance stop ${run.name}`) : 'Ctrl-C; all changes are thrown away'],
  ]
  return `${rowsText(rows, style)}\n`
}

/** The number grows. */
function fetchedRow({ directory }: LocalRunResult['run'], fetched: number): Row {
  return ['From', `${directory.marker.from?.place ?? ''}: ${formatBytes(fetched)} fetched so far`]
}

/** What a run does to a disk; the number grows. */
function howCopied({ kind, directory }: LocalRunResult['run'], written: number | undefined): string {
  const { layout, marker } = directory
  const place = layout.directory
  if (marker.server?.reflinks) return `shares the blocks of the backup until they are changed, in ${place}`
  const size = formatBytes(written ?? 0)
  if (kind === 'thin') return `reads the backup in place, keeps ${size} of changes in ${place}`
  if (kind === 'overlay') return `copies a file when it is first opened, ${size} so far, to ${place}`
  return `all of the backup, ${size}, in ${place}`
}

const pausedRows: Row[] = [
  ['Paused', 'read-only; SELECT pg_wal_replay_resume() makes it a server that can be written'],
]
