import type { StoredBackup } from '../../catalog/backup.js'
import type { ListResult } from '../../inventory/list.js'
import type { Progress } from '../../progress.js'
import { cutTo } from '../../text/cut-to.js'
import { formatAge, formatBytes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { hasFailed, proofText } from '../parts/proof-text.js'
import { windowColumn, windowJson } from '../parts/window-text.js'
import type { Screen, Style } from '../screen.js'
import { type Column, tableLines } from '../table.js'

export function listJson({ root, backups, locationOf, windows, rejected, free, source }: ListResult): object {
  const place = source === undefined ? { root } : { source }
  const withWindow = (backup: StoredBackup) => {
    const window = windows.get(backup.id)
    return { ...backupJson(backup, locationOf(backup.id)), window: window ? windowJson(window) : null }
  }
  const others = rejected.map(({ name, reason }) => ({ name, reason }))
  return { backups: backups.map(withWindow), rejected: others, ...place, free_bytes: free ?? null }
}

export function listText(result: ListResult, screen: Screen): string {
  if (result.backups.length === 0) return emptyText(result, screen)
  const lines = tableLines(columnsFor(result, screen), result.backups, screen.width)
  const [header = '', ...rows] = lines
  const broken = gapLines(result).map(screen.style.warning)
  return `${[screen.style.strong(header), ...rows, '', ...broken, ...[totals(result), ...plainLines(result)].map(screen.style.faint)].join('\n')}\n`
}

const mostGaps = 5

function gapLines({ backups, windows }: ListResult): string[] {
  const lines = backups.flatMap(({ id }) => {
    const gap = windows.get(id)?.gap
    return gap ? [`WAL archive of ${id}: broken at ${gap.missing}: ${gap.reason}`] : []
  })
  const more = lines.length > mostGaps ? [`and ${lines.length - mostGaps} more broken archives`] : []
  return [...lines.slice(0, mostGaps), ...more]
}

const mostRejected = 20

const longestReason = 500

/** What was found beside the backups goes to stderr. */
export function sayRejected({ rejected }: ListResult, progress: Progress): void {
  for (const { name, reason } of rejected.slice(0, mostRejected))
    progress.warn(`${name} is not a whole backup: ${cutTo(longestReason, reason)}`)
  const more = rejected.length - mostRejected
  if (more > 0) progress.warn(`${more} more are no whole backups; --json names all`)
}

function emptyText({ root, source }: ListResult, { pgbk }: Screen): string {
  if (source !== undefined) return `No backups in ${source}.\n`
  return `No backups in ${root}.\nMake the first one, or name another root with -C DIR:\n  ${pgbk('create')}\n`
}

function columnsFor({ windows, backups }: ListResult, { now, style }: Screen): Column<StoredBackup>[] {
  const windowOf = ({ id, summary }: StoredBackup) => {
    const window = windows.get(id)
    return window ? windowColumn(window, now, summary.started_at) : ''
  }
  const hasWindows = backups.some((backup) => windowOf(backup) !== '')
  return [
    { title: 'ID', value: ({ id }) => id },
    {
      title: 'AGE',
      value: ({ summary }) => formatAge(now.getTime() - Date.parse(summary.started_at)),
      align: 'right',
    },
    { title: 'KIND', value: ({ summary }) => summary.kind, expendable: 2 },
    { title: 'VERSION', value: ({ summary }) => summary.server.version, align: 'right', expendable: 1 },
    { title: 'SIZE', value: ({ storedBytes }) => formatBytes(storedBytes), align: 'right' },
    ...(backups.some(isShared)
      ? [
          {
            title: 'OWN',
            value: ({ ownBytes }: StoredBackup) => formatBytes(ownBytes),
            align: 'right' as const,
          },
        ]
      : []),
    ...(backups.some(({ form }) => form !== backups[0]?.form || form === 'encrypted')
      ? [{ title: 'FORM', value: ({ form }: StoredBackup) => form, expendable: 2 }]
      : []),
    {
      title: 'STATE',
      value: ({ state, hold }) => (hold ? `${state}, held` : state),
      paint: (text, { state }) => (state === 'whole' ? style.good(text) : style.warning(text)),
    },
    ...(hasWindows ? [{ title: 'WINDOW', value: windowOf, expendable: 2 }] : []),
    ...(backups.some(({ proof }) => proof !== undefined) ? [proofColumn(now, style)] : []),
    { title: 'LABEL', value: ({ summary }) => summary.label ?? '', expendable: 3 },
  ]
}

function isShared({ storedBytes, ownBytes }: StoredBackup): boolean {
  return ownBytes < storedBytes
}

function proofColumn(now: Date, style: Style): Column<StoredBackup> {
  return {
    title: 'PROOF',
    value: ({ proof }) => proofText(proof, now),
    expendable: 4,
    paint: (text, { proof }) => (hasFailed(proof) ? style.bad(text) : text),
  }
}

/** Where it is worth it: a quarter at least. */
function plainLines({ plain }: ListResult): string[] {
  const { count = 0, bytes = 0, packedBytes } = plain ?? {}
  if (packedBytes === undefined || packedBytes > 0.75 * bytes) return []
  return [
    `${count} plain backups take ${formatBytes(bytes)}; packed they would take about ${formatBytes(packedBytes)} (pgbk pack, retention.pack_after)`,
  ]
}

function totals({ root, backups, free }: ListResult): string {
  const sum = backups.reduce((total, { ownBytes }) => total + ownBytes, 0)
  const count = `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}`
  return `${count}, ${formatBytes(sum)}${free === undefined ? '' : `, ${formatBytes(free)} free`}, in ${root}`
}
