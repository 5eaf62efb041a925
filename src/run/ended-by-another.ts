import { existsSync } from 'node:fs'
import { factsOf, PgbkError } from '../errors.js'
import { beginningOfLog, endOfLog, lastLines } from '../postgres/local/server-log.js'
import type { RunDirectory } from './directory/run-directory.js'

/**
 * A line of a run's log (log_line_prefix `%m [%p] %e `, or PostgreSQL's own, which has no `%e`), by the process that wrote it: what
 * follows a line break in a message begins with a tab.
 */
const lineOf = (pid: string, text: string) =>
  new RegExp(`\\n[^\\s[]+ [^\\s[]+ [^\\s[]+ \\[(${pid})\\] (?:[0-9A-Z]{5} )?LOG: {2}${text}`)
/** PostmasterMain() in src/backend/postmaster/postmaster.c, before anything of the data is read. */
const starting = lineOf('\\d+', 'starting PostgreSQL')
/** process_pm_shutdown_request(), pmdie() before PostgreSQL 16. */
const toldToStop = (pid: string) => lineOf(pid, 'received (?:smart|fast|immediate) shutdown request(?:\\n|$)')
/** Whether the server itself, and nothing in its data that can write into the log, says that it was told to stop. */
function wasToldToStop(log: string, end: string): boolean {
  const [, pid] = starting.exec(`\n${beginningOfLog(log)}`) ?? []
  return pid !== undefined && toldToStop(pid).test(end)
}

/** Whether an error is one that `endedByAnother` has made. */
export function tellsOfAnother(error: unknown): boolean {
  return factsOf(error).kind === 'run-ended-by-another'
}

/**
 * Whether somebody else has ended a run, which is then why something in it has failed. To be asked before this process stops the
 * server itself.
 */
export function endedByAnother({ name, layout }: RunDirectory, cause?: unknown): PgbkError | undefined {
  const facts = { kind: 'run-ended-by-another' } as const
  const log = endOfLog(layout.log)
  if (log === undefined || !existsSync(layout.marker))
    return new PgbkError('failed', `the run ${name} was ended by another pgbk`, {
      cause,
      facts,
      hint: 'Its directory is gone. Try again.',
    })
  if (!wasToldToStop(layout.log, log)) return undefined
  return new PgbkError('failed', `the server of the run ${name} was told to stop`, {
    cause,
    facts,
    hint: lastLines(layout.log),
  })
}
