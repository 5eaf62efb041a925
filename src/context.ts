import type { Readable } from 'node:stream'
import type { Progress } from './progress.js'

export type Environment = Record<string, string | undefined>

/** The operating-system user whom the process works as. */
export interface SystemUser {
  readonly uid: number
  readonly gid: number
  readonly name: string
  readonly home: string
}

/** Who can decrypt what was encrypted, in the age format, for its recipient. */
export interface Identity {
  /** `AGE-SECRET-KEY-1...`: for nothing but what decrypts. */
  secret: string
  recipient: string
}

/** What is made as root for somebody else. */
export interface Preparation {
  /** An existing directory. */
  inside: string
  /** Returns the paths that were made. */
  make(): string[]
}

/** What a printed command is to act on. */
interface CommandTarget {
  root: string | undefined
  config: string | undefined
}

/**
 * Writes a command of pgbk for somebody to paste: it acts on the root and the server that this one acts on.
 * @param command its name and arguments, as words of a shell.
 * @param other what it is to act on in the place of that.
 */
export type PrintedCommand = (command: string, other?: Partial<CommandTarget>) => string

/** All that a command may know of the world around it; only `process-context.ts`, cli/ and system/ ask the process itself. */
export interface Context {
  readonly cwd: string
  readonly env: Environment
  /** The command line that starts this pgbk: node and its script. */
  readonly self: readonly string[]
  readonly progress: Progress
  readonly pgbk: PrintedCommand
  readonly stdin: Readable
  /** For what is not text, such as an archive. */
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean }
  /** The caller's umask, for programs of the caller's own; what pgbk itself writes is its owner's alone. */
  readonly umask: number
  /** Aborted by SIGINT, SIGTERM and SIGHUP; its reason is the PgbkError to end with. */
  readonly signal: AbortSignal
  /** Aborted by the second of these signals: somebody does not want to wait. */
  readonly urgent: AbortSignal
  /** How often something that goes on for ever looks again, in ms; all its pauses are multiples of this. */
  readonly tickMs: number
  now(): Date
  user(): SystemUser
  /** A user, by name or uid. @throws {PgbkError} `config` when there is none of this name. Only for root. */
  idsOf(user: string | number): SystemUser
  /**
   * Gives up root for good and works on as this user (a name or a uid). Before that, as root, `prepare` may make paths that
   * the user then gets, if the user can enter the directory that is already there.
   * @throws {PgbkError} `config` when there is no such user; EACCES when the directory is closed to them.
   */
  become(user: string | number, prepare?: Preparation): void
  /** Has something done when the command is over, or the part of it that this context is for (`withEnds`). It must not fail. */
  atEnd(work: () => Promise<void>): void
  /** Asks a yes-or-no question; undefined where nobody can answer because there is no terminal. */
  ask: ((question: string) => Promise<boolean>) | undefined
  /** Asks for a line that is not shown; undefined as `ask`. */
  askSecret: ((question: string) => Promise<string>) | undefined
  /** What this call may decrypt with: read, and asked for, when that is needed first. @throws {PgbkError} `config`. */
  identities(): Promise<readonly Identity[]>
}

/** Works with a context of its own: what was to be done at its end is done, however it ends, the last first. */
export async function withEnds<T>(
  context: Omit<Context, 'atEnd'>,
  work: (own: Context) => Promise<T>,
): Promise<T> {
  const ends: (() => Promise<void>)[] = []
  try {
    return await work({ ...context, atEnd: (end) => void ends.push(end) })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}
