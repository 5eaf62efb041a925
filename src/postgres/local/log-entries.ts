import type { ServerWords } from '../sql/server-words.js'

/** One message of a server's log. */
export interface LogEntry extends ServerWords {
  severity: string
  /** Of the process that wrote it; undefined where the lines of the log do not begin with it. */
  pid: string | undefined
}

/** The line of one: its prefix is the server's setting log_line_prefix. */
const firstLine =
  /^(.{0,300}?)(PANIC|FATAL|ERROR|WARNING|NOTICE|INFO|LOG|DEBUG\d?|DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION|BACKTRACE): {2}(.*)$/

/** The messages of a log, in its order, each with its DETAIL and HINT. */
export function logEntries(log: string): LogEntry[] {
  const entries: LogEntry[] = []
  // A line break in a text is followed by a tab.
  for (const line of log.replaceAll('\n\t', ' ').split('\n')) {
    const [, prefix = '', severity = '', text = ''] = firstLine.exec(line) ?? []
    const last = entries.at(-1)
    if (severity === 'DETAIL' && last) last.detail = text
    else if (severity === 'HINT' && last) last.hint = text
    else if (severity !== '' && !ofOthers.has(severity))
      entries.push({ severity, message: text, ...originOf(prefix) })
  }
  return entries
}

/** What else belongs to the message before. */
const ofOthers = new Set(['DETAIL', 'HINT', 'CONTEXT', 'QUERY', 'STATEMENT', 'LOCATION', 'BACKTRACE'])

/** `%m [%p] ` is PostgreSQL's own prefix; that of a run goes on with `%e `. */
function originOf(prefix: string): Pick<LogEntry, 'pid' | 'sqlstate'> {
  const [, pid] = /\[(\d+)\]/.exec(prefix) ?? []
  const [, sqlstate] = /\] ([0-9A-Z]{5}) $/.exec(prefix) ?? []
  return { pid, sqlstate }
}

/**
 * The message that tells why a server has not started, or has ended: the first PANIC, else the FATAL of its start-up process or its
 * own, else how a process of it has ended. What only follows from that, and what single sessions were told, is none.
 */
export function causeOfEnd(entries: LogEntry[]): LogEntry | undefined {
  const panic = entries.find(({ severity }) => severity === 'PANIC')
  if (panic) return panic
  const server = entries[0]?.pid
  const startUp = entries.flatMap(({ message }) => /^startup process \(PID (\d+)\)/.exec(message)?.[1] ?? [])
  const fatals = entries.filter(({ severity }) => severity === 'FATAL')
  const own = [
    fatals.find(({ pid }) => pid !== undefined && startUp.includes(pid)),
    fatals.find(({ pid }) => pid === server && pid !== undefined),
    entries.findLast(({ severity, message }) => severity === 'LOG' && isCrash.test(message)),
    fatals.find(({ pid, message }) => pid === undefined && !isConsequence.test(message)),
  ]
  const cause = own.find((entry) => entry !== undefined)
  return cause && /^configuration file .* contains errors/.test(cause.message)
    ? (faultOfFile(entries, cause) ?? cause)
    : cause
}

const isCrash = /process .*\(PID \d+\) was terminated by|was terminated by signal/

const isConsequence =
  /^(?:the database system is (?:starting up|shutting down|not |in recovery)|terminating |the connection)/

/** The FATAL only says that the file has errors; each is a LOG before it (guc-file.l). */
function faultOfFile(entries: LogEntry[], cause: LogEntry): LogEntry | undefined {
  return entries
    .slice(0, entries.indexOf(cause))
    .findLast(({ severity, message }) => severity === 'LOG' && !message.startsWith('skipping missing'))
}
