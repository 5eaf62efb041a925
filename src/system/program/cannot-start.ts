import { PgbkError, systemCode } from '../../errors.js'

/** The error for a program that could not even be called. */
export function cannotStart(
  file: string,
  result: { cause?: unknown; shortMessage?: string | undefined },
): PgbkError {
  const missing = systemCode(result.cause) === 'ENOENT'
  return new PgbkError(
    missing ? 'programs-missing' : 'failed',
    `cannot run ${file}: ${missing ? 'no such program' : result.shortMessage}`,
    { cause: result.cause },
  )
}
