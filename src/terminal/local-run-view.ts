import type { LocalRunResult } from '../commands/local-run.js'
import { shellWord } from '../shell-word.js'
import { formatAge, formatTime } from '../units.js'
import { runJson } from './instance-view.js'
import type { Screen } from './screen.js'

export function localRunJson({ run }: LocalRunResult): object {
  return { run: { ...runJson(run.directory), log: run.log } }
}

/** What a person wants to see when the server is ready. */
export function localRunText(
  { backup, run, detached }: LocalRunResult,
  { style, now, quiet }: Screen,
): string {
  if (quiet) return ''
  const { id, record } = backup
  const time = formatTime(record.finished_at)
  const age = formatAge(now.getTime() - Date.parse(record.finished_at))
  const rows: [string, string][] = [
    ['Backup', id],
    ['Data as of', `${time} (${age === 'just now' ? age : `${age} ago`})`],
    [
      'psql',
      style.strong(`psql -h /tmp -p ${run.port} -U ${shellWord(run.role)} ${shellWord(run.database)}`),
    ],
    ['URL', run.url],
    ['Log', run.log],
    [
      'Copy',
      run.kind === 'overlay'
        ? 'overlay: nothing was copied, the backup stays as it is'
        : `${run.kind}: the backup stays as it is`,
    ],
    ['Stop', detached ? `pgbk instance stop ${run.name}` : 'Ctrl-C; all changes are thrown away'],
  ]
  return `${rows.map(([name, value]) => `${style.faint(name.padEnd(11))}${value}`).join('\n')}\n`
}
