import type { SystemUser } from '../context.js'
import { PgbkError } from '../errors.js'
import { trustOf, untrustedItself } from '../trusted-path.js'
import type { Step } from './walk.js'

/**
 * Who owns a directory on the way can put anything in the place of what is below it: each must belong to root or to the user whom root
 * becomes.
 * @param what the way leads to.
 * @throws {PgbkError} `config`.
 */
export function checkWay(steps: readonly Step[], what: string, user: Trusted): void {
  for (const { path } of steps) {
    const fault = untrustedItself(path, trustOf(user))
    if (!fault) continue
    const who = user.uid === 0 ? 'root' : `root or to ${user.name}, as whom it would work`
    throw new PgbkError('config', `${path}, on the way to ${what}, ${fault.reason}`, {
      hint: `Started by root, pgbk uses nothing that somebody else could swap: every directory on the way must belong to ${who}, and be closed to the writing of others. Run pgbk as the user whom it belongs to, or use another directory.`,
    })
  }
}

export type Trusted = Pick<SystemUser, 'uid' | 'gid' | 'name'>

export const rootItself: Trusted = { uid: 0, gid: 0, name: 'root' }
