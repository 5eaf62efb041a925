import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { installHint } from '../postgres/programs/install-hint.js'

/** The demo makes a server of its own. */
export function noServerPrograms(cause?: unknown): PgbkError {
  return new PgbkError(
    'programs-missing',
    "the demo needs PostgreSQL's server and client programs of one major, which are not installed here",
    { cause, hint: installHint(undefined, 'server') },
  )
}

/**
 * The user `postgres` comes with PostgreSQL's packages: where root has none to become, PostgreSQL is what is missing.
 * @throws {PgbkError} `programs-missing`.
 */
export function checkUserOfPostgres(runAs: string, context: Context): void {
  if (runAs !== 'postgres' || context.user().uid !== 0) return
  try {
    context.idsOf(runAs)
  } catch (cause) {
    if (cause instanceof PgbkError && cause.code === 'config') throw noServerPrograms(cause)
    throw cause
  }
}
