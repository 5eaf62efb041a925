import type { SystemUser } from '../context.js'
import { PgbkError } from '../errors.js'
import { firstUntrusted, trustOf, type Untrusted, untrustedItself } from '../system/paths/trusted-path.js'
import { stepAt } from './step-at.js'

export type Trusted = Pick<SystemUser, 'uid' | 'gid' | 'name'>

export const rootItself: Trusted = { uid: 0, gid: 0, name: 'root' }

/**
 * Who owns a directory on the way can put anything in the place of what is below it: each, and each link, must belong to root or to the
 * user whom root becomes. How the way leads was found out before; a link of somebody else's on it is found now.
 * @throws {PgbkError} `config`.
 */
export function checkWay(path: string, user: Trusted): void {
  refuse(firstUntrusted(path, trustOf(user)), path, user)
}

/** Whether a directory is root's, and nobody but root can put another in its place: only there root makes or gives away something. */
export function isRootsAlone(directory: string): boolean {
  const step = stepAt(directory)
  return step?.kind === 'directory' && step.uid === 0 && !firstUntrusted(directory, trustOf(rootItself))
}

/** As `checkWay`, of one directory alone, above which all is known to be root's. @param what it is on the way to. */
export function checkItself(path: string, what: string): void {
  refuse(untrustedItself(path, trustOf(rootItself)), what, rootItself)
}

function refuse(fault: Untrusted | undefined, what: string, user: Trusted): void {
  if (!fault) return
  const who = user.uid === 0 ? 'root' : `root or to ${user.name}, as whom it would work`
  const place = fault.path === what ? what : `${fault.path}, on the way to ${what},`
  throw new PgbkError('config', `${place} ${fault.reason}`, {
    hint: `Started by root, pgbk uses nothing that somebody else could swap: every directory on the way must belong to ${who}, and must not be writable by others. Run pgbk as the user whom it belongs to, or use another directory.`,
  })
}
