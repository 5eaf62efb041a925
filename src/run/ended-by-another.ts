import { existsSync } from 'node:fs'
import { readIfThere } from '../backup/read-if-there.js'
import { PgbkError } from '../errors.js'
import type { RunDirectory } from './run-directory.js'

/** pmdie() in src/backend/postmaster/postmaster.c. */
const toldToStop = /received (?:smart|fast|immediate) shutdown request/

/**
 * Whether somebody else has ended a run, which is then why something in it has failed. To be asked before this process stops the
 * server itself.
 */
export function endedByAnother({ name, layout }: RunDirectory, cause?: unknown): PgbkError | undefined {
  const log = readIfThere(layout.log)
  if (existsSync(layout.marker) && log !== undefined && !toldToStop.test(log)) return undefined
  return new PgbkError('failed', `the run ${name} was ended by another pgbk`, {
    cause,
    hint: 'Its directory is gone, or its server was told to stop. Try again.',
  })
}
