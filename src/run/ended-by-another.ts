import { existsSync } from 'node:fs'
import { PgbkError } from '../errors.js'
import { endOfLog, lastLines } from '../postgres/server-log.js'
import type { RunDirectory } from './run-directory.js'

/** pmdie() in src/backend/postmaster/postmaster.c. */
const toldToStop = /received (?:smart|fast|immediate) shutdown request/

/**
 * Whether somebody else has ended a run, which is then why something in it has failed. To be asked before this process stops the
 * server itself.
 */
export function endedByAnother({ name, layout }: RunDirectory, cause?: unknown): PgbkError | undefined {
  const log = endOfLog(layout.log)
  if (log === undefined || !existsSync(layout.marker))
    return new PgbkError('failed', `the run ${name} was ended by another pgbk`, {
      cause,
      hint: 'Its directory is gone. Try again.',
    })
  if (!toldToStop.test(log)) return undefined
  return new PgbkError('failed', `the server of the run ${name} was told to stop`, {
    cause,
    hint: lastLines(layout.log),
  })
}
