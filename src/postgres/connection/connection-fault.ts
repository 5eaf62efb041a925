import type { Connection } from './connection.js'

/** How it was tried to connect. */
export interface Attempt extends Connection {
  systemUser?: string | undefined
}

/** Why a connection fails, and what fixes it. */
export interface ConnectionFault {
  says: RegExp
  /** The line, statement or command. */
  hint(match: RegExpExecArray, attempt: Attempt): string
  /** It may be over without anybody's doing. */
  passes?: true
}

export function connectionUser({ parameters, env, systemUser }: Attempt): string {
  return parameters.user ?? env.PGUSER ?? systemUser ?? 'USER'
}
