import type { Backup } from '../backup/catalog.js'
import type { ListResult } from '../commands/list.js'
import type { Progress } from '../progress.js'
import { formatAge, formatBytes } from '../units.js'
import { backupJson } from './backup-json.js'
import { hasFailed, proofText } from './proof-text.js'
import type { Screen } from './screen.js'
import type { Style } from './style.js'
import { type Column, tableLines } from './table.js'

export function listJson({ root, backups, rejected, free }: ListResult): object {
  return { backups: backups.map(backupJson), rejected, root, free_bytes: free ?? null }
}

export function listText(result: ListResult, screen: Screen): string {
  if (result.backups.length === 0) return emptyText(result)
  const lines = tableLines(columnsFor(screen, result.backups), result.backups, screen.width)
  const [header = '', ...rows] = lines
  return `${[screen.style.strong(header), ...rows, '', screen.style.faint(totals(result))].join('\n')}\n`
}

/** What was found beside the backups goes to stderr. */
export function sayRejected({ rejected }: ListResult, progress: Progress): void {
  for (const { name, reason } of rejected) progress.warn(`${name} is not a whole backup: ${reason}`)
}

function emptyText({ root }: ListResult): string {
  return `No backups in ${root}.\nMake the first one with pgbk create, or name another root with -C DIR.\n`
}

function columnsFor({ now, style }: Screen, backups: Backup[]): Column<Backup>[] {
  return [
    { title: 'ID', value: ({ id }) => id },
    {
      title: 'AGE',
      value: ({ summary }) => formatAge(now.getTime() - Date.parse(summary.started_at)),
      align: 'right',
    },
    { title: 'KIND', value: ({ summary }) => summary.kind, expendable: 2 },
    { title: 'VERSION', value: ({ summary }) => summary.server.version, align: 'right', expendable: 1 },
    { title: 'SIZE', value: ({ summary }) => formatBytes(summary.size_bytes), align: 'right' },
    {
      title: 'STATE',
      value: ({ state, hold }) => (hold ? `${state}, held` : state),
      paint: (text, { state }) => (state === 'whole' ? style.good(text) : style.warning(text)),
    },
    ...(backups.some(({ proof }) => proof !== undefined) ? [proofColumn(now, style)] : []),
    { title: 'LABEL', value: ({ summary }) => summary.label ?? '', expendable: 3 },
  ]
}

function proofColumn(now: Date, style: Style): Column<Backup> {
  return {
    title: 'PROOF',
    value: ({ proof }) => proofText(proof, now),
    expendable: 4,
    paint: (text, { proof }) => (hasFailed(proof) ? style.bad(text) : text),
  }
}

function totals({ root, backups, free }: ListResult): string {
  const sum = backups.reduce((total, { summary }) => total + summary.size_bytes, 0)
  const count = `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}`
  return `${count}, ${formatBytes(sum)}${free === undefined ? '' : `, ${formatBytes(free)} free`}, in ${root}`
}
