import { PgbkError } from '../errors.js'
import { weekdays } from './times.js'

/** One line of a crontab that pgbk schedule has written. */
export interface CrontabEntry {
  root: string
  /** `0 3 * * *` */
  when: string
  /** The whole line, without its end. */
  line: string
}

/** MAX_COMMAND of Vixie cron (cron.h), without its end. */
const longestCommand = 998

const mark = ' # pgbk schedule '

/**
 * A line by which its root is found again. In a crontab an unescaped % ends the command (crontab(5)). Whether a backslash escapes
 * another one there differs from cron to cron (do_command.c): none is left that stands before one, or before a %.
 * @param command of words as `shellWord` makes them, where such a backslash stands between single quotes.
 * @throws {PgbkError} `usage` for a line that is too long.
 */
export function crontabLine(when: string, command: string, root: string): string {
  const parted = command.replace(/\\(?=[\\%])/g, "\\''")
  const text = asBytes(`${parted}${mark}${root}`.replaceAll('%', '\\%'))
  if (text.length <= longestCommand) return `${when} ${text}`
  throw new PgbkError(
    'usage',
    `the line would be too long for a crontab: ${text.length} bytes, and cron takes ${longestCommand}`,
    {
      hint: 'Write the connection into a configuration file, name that with --config, and leave it out here.',
    },
  )
}

/** What pgbk schedule has written; a line that somebody has turned into a comment is none. */
export function entriesIn(crontab: string): CrontabEntry[] {
  return crontab.split('\n').flatMap((line) => {
    const entry = entryOf(line)
    return entry ? [entry] : []
  })
}

function entryOf(line: string): CrontabEntry | undefined {
  const at = line.lastIndexOf(mark)
  if (at === -1 || /^\s*#/.test(line)) return undefined
  const when = /^\s*(@\w+|\S+(?:\s+\S+){4})\s/.exec(line)?.[1] ?? ''
  return { root: asText(line.slice(at + mark.length)).replaceAll('\\%', '%'), when, line }
}

/** The options of pgbk schedule that write such a line; where somebody has changed its times, they are left to be filled in. */
export function scheduleOptions({ when, line }: CrontabEntry): string {
  const [, minute, hour = '', weekday] = /^(\d+)\s+(\d+)\s+\*\s+\*\s+(\*|[0-6])$/.exec(when) ?? []
  const time = minute === undefined ? 'HH:MM' : `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`
  const day = weekdays[Number(weekday)]
  return [
    day === undefined ? `--daily ${time}` : `--weekly ${day} ${time}`,
    ...(/ --prove /.test(line) ? ['--prove'] : []),
    ...(/ --packed /.test(line) ? ['--packed'] : []),
    ...(/ prune --yes /.test(line) ? [] : ['--no-prune']),
  ].join(' ')
}

/** Puts a root's line in the place of the one before, or at the end; all other lines stay as they are. */
export function withEntry(crontab: string, root: string, line: string): string {
  const lines = crontab.split('\n')
  const isOwn = (one: string) => entryOf(one)?.root === root
  const first = lines.findIndex(isOwn)
  if (first !== -1)
    return lines.flatMap((one, index) => (index === first ? [line] : isOwn(one) ? [] : [one])).join('\n')
  const complete = crontab === '' || crontab.endsWith('\n') ? crontab : `${crontab}\n`
  return `${complete}${line}\n`
}

/** Takes a root's line out; all other lines stay as they are. */
export function withoutEntry(crontab: string, root: string): string {
  return crontab
    .split('\n')
    .filter((one) => entryOf(one)?.root !== root)
    .join('\n')
}

/** A crontab is handled with a character for every byte. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function asText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
