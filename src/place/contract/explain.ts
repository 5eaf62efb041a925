import { PgbkError, systemCode, systemFailure } from '../../errors.js'

/** A system's error as a person can use it; any other as it is. @param what was tried: `download 20261120T030000Z`. @param ifClosed what to do where permission is denied. */
export function explained(cause: unknown, what: string, ifClosed?: string): unknown {
  if (cause instanceof PgbkError || systemCode(cause) === undefined) return cause
  return systemFailure(`cannot ${what}`, cause, ifClosed)
}
