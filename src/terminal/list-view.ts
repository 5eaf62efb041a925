import type { Backup } from '../backup/catalog.js'
import type { ListResult } from '../commands/list.js'
import type { Progress } from '../progress.js'
import { formatAge, formatBytes } from '../units.js'
import { backupJson } from './backup-json.js'
import type { Screen } from './screen.js'
import { type Column, tableLines } from './table.js'

export function listJson({ root, backups, rejected, free }: ListResult): object {
  return { backups: backups.map(backupJson), rejected, root, free_bytes: free ?? null }
}

export function listText(result: ListResult, screen: Screen): string {
  if (result.backups.length === 0) return emptyText(result)
  const lines = tableLines(columnsFor(screen), result.backups, screen.width)
  const [header = '', ...rows] = lines
  return `${[screen.style.strong(header), ...rows, '', screen.style.faint(summary(result))].join('\n')}\n`
}

/** What was found beside the backups goes to stderr. */
export function sayRejected({ rejected }: ListResult, progress: Progress): void {
  for (const { name, reason } of rejected) progress.warn(`${name} is not a whole backup: ${reason}`)
}

function emptyText({ root }: ListResult): string {
  return `No backups in ${root}.\nMake the first one with pgbk create, or name another root with -C DIR.\n`
}

function columnsFor({ now, style }: Screen): Column<Backup>[] {
  return [
    { title: 'ID', value: ({ id }) => id },
    {
      title: 'AGE',
      value: ({ record }) => formatAge(now.getTime() - Date.parse(record.started_at)),
      align: 'right',
    },
    { title: 'KIND', value: ({ record }) => record.kind, expendable: 2 },
    { title: 'VERSION', value: ({ record }) => record.server.version, align: 'right', expendable: 1 },
    { title: 'SIZE', value: ({ record }) => formatBytes(record.size_bytes), align: 'right' },
    {
      title: 'STATE',
      value: ({ state }) => state,
      paint: (text, { state }) => (state === 'whole' ? style.good(text) : style.warning(text)),
    },
    { title: 'LABEL', value: ({ record }) => record.label ?? '', expendable: 3 },
  ]
}

function summary({ root, backups, free }: ListResult): string {
  const sum = backups.reduce((total, { record }) => total + record.size_bytes, 0)
  const count = `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}`
  return `${count}, ${formatBytes(sum)}${free === undefined ? '' : `, ${formatBytes(free)} free`}, in ${root}`
}
