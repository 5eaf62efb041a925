import type { Context } from '../context.js'
import { hasProc } from '../processes.js'
import { programEnvironment } from './connection.js'

const dropped = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']

/** Words that start a program with no capability, of a namespace neither, and no way to more rights, such as setuid programs. */
export function withoutRights(): string[] {
  return hasProc() ? ['setpriv', '--ambient-caps=-all', ...dropped] : []
}

/** What a server, and all that its data can start, gets to know of the caller's environment: no secret, and no other server. */
const known = /^(?:PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|USER|LOGNAME|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH)$/

/** The environment of a server, with messages in English. */
export function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(Object.entries(programEnvironment(env)).filter(([name]) => known.test(name)))
}
