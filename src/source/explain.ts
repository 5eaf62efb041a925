import { messageOf, PgbkError, systemCode } from '../errors.js'

/** A system's error as a person can use it; any other as it is. @param what was tried: `download 20261120T030000Z`. */
export function explained(cause: unknown, what: string): unknown {
  const code = systemCode(cause)
  if (cause instanceof PgbkError || code === undefined) return cause
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new PgbkError('disk-full', `cannot ${what}: the disk is full`, {
      cause,
      hint: 'Make room there (pgbk list, pgbk delete), or choose another place.',
    })
  return new PgbkError('failed', `cannot ${what}: ${messageOf(cause)}`, { cause })
}
