import { PgbkError } from '../errors.js'
import type { Step } from './walk.js'

/** Root, or somebody who could do all that follows by themselves. */
export interface Trusted {
  uid: number
  /** The user's own group: where the user's files are group-writable, nobody else is meant. */
  gid: number
}

const sticky = 0o1000

/** Why this one of the steps to a path can be swapped by somebody else; undefined where it cannot. */
export function doubtOf(
  { uid, gid, mode, kind }: Step,
  { uid: user, gid: group }: Trusted,
): string | undefined {
  if (uid !== 0 && uid !== user) return `belongs to uid ${uid}`
  if (kind !== 'directory' || (mode & sticky) !== 0) return undefined
  if ((mode & 0o002) !== 0) return 'can be written by everybody'
  if ((mode & 0o020) !== 0 && gid !== 0 && gid !== group) return `can be written by the group ${gid}`
  return undefined
}

/**
 * As sshd does with StrictModes: who owns a directory on the way can put anything in the place of what is below it.
 * @throws {PgbkError} `config`.
 */
export function checkWay(steps: readonly Step[], what: string, trusted: Trusted): void {
  for (const step of steps) {
    const doubt = doubtOf(step, trusted)
    if (doubt === undefined) continue
    const who = trusted.uid === 0 ? 'root' : `root or to uid ${trusted.uid}, as whom it would work`
    throw new PgbkError('config', `${step.path}, on the way to ${what}, ${doubt}`, {
      hint: `Started by root, pgbk uses nothing that somebody else could swap: every directory on the way must belong to ${who}, and be closed to the writing of others. Run pgbk as the user whom it belongs to, or use another directory.`,
    })
  }
}
