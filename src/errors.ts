import { types } from 'node:util'

/** Every way in which a command can end badly, with the exit status that it has. The list is closed. */
export const exitStatuses = {
  failed: 1,
  damaged: 1,
  'disk-full': 1,
  'root-not-writable': 1,
  'programs-missing': 1,
  'lock-lost': 1,
  usage: 2,
  config: 2,
  'wrong-cluster': 2,
  'not-found': 3,
  locked: 4,
  unreachable: 5,
  refused: 5,
  'check-failed': 6,
  'not-proven': 7,
  'command-not-runnable': 126,
  'command-not-found': 127,
  'hung-up': 129,
  interrupted: 130,
  terminated: 143,
} as const

export type ErrorCode = keyof typeof exitStatuses

export interface ErrorDetails {
  /** Sentences that tell the reader what to do next; may have several lines. */
  hint?: string
  cause?: unknown
}

/**
 * The one error that pgbk throws on purpose. The message tells what failed, with which value, in lower case
 * and without a full stop; the hint says what to do next.
 */
export class PgbkError extends Error {
  override readonly name = 'PgbkError'
  readonly hint: string | undefined

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.hint = details.hint
  }

  get exitStatus(): number {
    return exitStatuses[this.code]
  }
}

/** The code of a system error (`ENOENT`, `EACCES` ...), or undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  return types.isNativeError(error) && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

/** What a thrown value says about itself, in one line. */
export function messageOf(error: unknown): string {
  return (types.isNativeError(error) ? error.message : String(error)).split('\n')[0] ?? ''
}

/** What is wrong with a path that somebody has named, and no check has met before. */
const pathFaults: Record<string, string> = {
  EACCES: 'permission denied',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'a name in it is too long',
  ENOTDIR: 'a part of it is not a directory',
  EROFS: 'the file system is read-only',
}

function pathFaultOf(error: unknown): string | undefined {
  const { path } = (error ?? {}) as { path?: unknown }
  const reason = pathFaults[systemCode(error) ?? '']
  return reason !== undefined && typeof path === 'string' ? `cannot use ${path}: ${reason}` : undefined
}

/** Whether a file system, or the user's quota on it, has no room left. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')
}

/** The failure of a system call as `disk-full` or `failed`. @param what could not be done: `cannot restore`. */
export function systemFailure(what: string, cause: unknown, ifClosed?: string): PgbkError {
  const hint = ['EACCES', 'EPERM'].includes(systemCode(cause) ?? '') ? ifClosed : undefined
  if (!isDiskFull(cause))
    return new PgbkError('failed', `${what}: ${messageOf(cause)}`, { cause, ...(hint && { hint }) })
  const { path, dest = path } = cause as { path?: string; dest?: string }
  return new PgbkError('disk-full', `${what}: the disk is full${dest === undefined ? '' : ` at ${dest}`}`, {
    cause,
    hint: 'Make room there (pgbk list, pgbk delete), or choose another place.',
  })
}

/** Whether a thrown value is a fault of pgbk. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof PgbkError || isDiskFull(error) || pathFaultOf(error) !== undefined)
}

/** Any thrown value as an error of ours; one that was not thrown on purpose is a fault of pgbk. */
export function pgbkErrorFrom(error: unknown): PgbkError {
  if (error instanceof PgbkError) return error
  if (isDiskFull(error)) return systemFailure('cannot write', error)
  const fault = pathFaultOf(error)
  if (fault !== undefined) return new PgbkError('failed', fault, { cause: error })
  return new PgbkError('failed', `unexpected error: ${messageOf(error)}`, { cause: error })
}
