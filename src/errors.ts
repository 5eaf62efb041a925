import { getSystemErrorMap, types } from 'node:util'

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
  facts?: ErrorFacts
}

/** What an error is about, for callers: a message is for people, and no code looks into it. */
export interface ErrorFacts {
  /** What has happened, where that must be told from all else that has the same code. */
  kind?:
    | 'no-file'
    | 'target-unreachable'
    | 'session-cut-off'
    | 'run-ended-by-another'
    | 'no-identity'
    | 'access-denied'
  /** The file or directory. */
  path?: string
  /** The 24 digits of a WAL segment. */
  segment?: string
  /** Its file in the archive. */
  file?: string
  /** A position in the WAL, as PostgreSQL writes it. */
  lsn?: string
  port?: number
  /** What is wrong with it, without its name: `it has only 7 bytes`. */
  reason?: string
  /** Of a damaged segment: whether what comes before the damage can be used. */
  isReadable?: boolean
  /** What a server or a program has said, in its own words. */
  said?: string
}

/**
 * The one error that pgbk throws on purpose. The message tells what failed, with which value, in lower case
 * and without a full stop; the hint says what to do next.
 */
export class PgbkError extends Error {
  override readonly name = 'PgbkError'
  readonly hint: string | undefined
  readonly facts: ErrorFacts

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.hint = details.hint
    this.facts = details.facts ?? {}
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

/** The path that a system error is about; undefined for other errors, and for those of an open file. */
export function systemErrorPath(error: unknown): string | undefined {
  return types.isNativeError(error) && 'path' in error && typeof error.path === 'string'
    ? error.path
    : undefined
}

/** What the system calls an error, without the call and its path: `permission denied`. */
export function systemReason(error: unknown): string {
  const { errno } = (error ?? {}) as { errno?: unknown }
  const [, reason] = (typeof errno === 'number' && getSystemErrorMap().get(errno)) || []
  return reason ?? messageOf(error)
}

/** The facts of a thrown value; none for what is not an error of ours. */
export function factsOf(error: unknown): ErrorFacts {
  return error instanceof PgbkError ? error.facts : {}
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

/**
 * A system's error as a person can use it; any other as it is.
 * @param what was tried: `download 20261120T030000Z`.
 * @param ifClosed what to do where permission is denied.
 */
export function explained(cause: unknown, what: string, ifClosed?: string): unknown {
  if (cause instanceof PgbkError || systemCode(cause) === undefined) return cause
  return systemFailure(`cannot ${what}`, cause, ifClosed)
}

/** Something of a backup that is not as it was when that was made. */
export interface Fault {
  /** Below the directory that was looked at. */
  file: string
  /** `it is missing` */
  problem: string
}
