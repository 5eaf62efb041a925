import type { CrontabEntry } from '../../schedule/entry.js'
import type { Forecast, WrittenSchedule } from '../../schedule/schedule.js'
import type { SystemdUnit } from '../../schedule/systemd-units.js'
import { formatBytes } from '../../text/format.js'
import { printable, type Screen } from '../screen.js'

export function scheduleJson({ entry, changed, forecast }: WrittenSchedule): object {
  const { count = null, each, room } = forecast
  return { entry: entryJson(entry), changed, kept_at_most: count, size_bytes: each, room_bytes: room }
}

export function scheduleText(
  { entry, changed, forecast }: WrittenSchedule,
  { quiet, style }: Screen,
): string {
  if (quiet) return ''
  const head = changed ? 'Written into the crontab:' : 'The crontab has it already:'
  return `${style.strong(head)}\n${lineText(entry)}\n${forecastText(forecast)}\n`
}

function forecastText({ count, each, room }: Forecast): string {
  const size = formatBytes(each)
  if (count === undefined)
    return `Nothing is pruned: there is room for ${each === 0 ? 'many' : Math.floor(room / each)} backups of ${size}.`
  return `At most ${count} backups of about ${size}, ${formatBytes(count * each)} together; there is room for ${formatBytes(room)}.`
}

export function lineJson(line: string): object {
  return { line: textOf(line) }
}

export function lineText({ line }: Pick<CrontabEntry, 'line'>): string {
  return `${textOf(line)}\n`
}

export function unitsJson(units: SystemdUnit[]): object {
  return { units }
}

export function unitsText(units: SystemdUnit[]): string {
  const files = units.map(({ name, text }) => `# /etc/systemd/system/${name}\n${text}`)
  const [, timer, receiver] = units
  return `${files.join('\n')}
# Then, as root:  systemctl daemon-reload && systemctl enable --now ${timer?.name}
# And, to receive WAL:  systemctl enable --now ${receiver?.name}
`
}

export function entriesJson(entries: CrontabEntry[]): object {
  return { entries: entries.map(entryJson) }
}

export function entriesText(entries: CrontabEntry[], { style }: Screen): string {
  if (entries.length === 0) return 'No schedule in this crontab.\n'
  return entries.map((entry) => `${style.strong(printable(entry.root))}\n${lineText(entry)}`).join('\n')
}

export function removedJson(root: string, removed: CrontabEntry | undefined): object {
  return { root, removed: removed ? entryJson(removed) : null }
}

export function removedText(root: string, removed: CrontabEntry | undefined, { quiet }: Screen): string {
  if (quiet) return ''
  return removed
    ? `Removed from the crontab:\n${lineText(removed)}`
    : `There was no line for ${printable(root)} in this crontab.\n`
}

function entryJson({ root, when, line }: CrontabEntry): object {
  return { root, when, line: textOf(line) }
}

/** A crontab is handled with a character for every byte. */
function textOf(line: string): string {
  return printable(Buffer.from(line, 'latin1').toString('utf8'))
}
