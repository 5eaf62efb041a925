import type { Context } from '../../context.js'
import { hasProc } from '../../system/process/processes.js'
import { programEnvironment } from '../../system/program/program-environment.js'

/**
 * Words that start a program with no capability and no way to more rights, such as setuid programs.
 * @param rules whether it starts in a user name space of its own, where there are capabilities to lose: elsewhere an ordinary user
 * may not change the bounding set, and where setpriv of Debian 12 is silent about that, Debian 13's fails.
 */
export function withoutRights(rules: boolean): string[] {
  const dropped = ['--ambient-caps=-all', '--inh-caps=-all', '--no-new-privs']
  return hasProc() ? ['setpriv', ...dropped, ...(rules ? ['--bounding-set=-all'] : [])] : []
}

/** What a server, and all that its data can start, gets to know of the caller's environment: no secret, and no other server. */
const known = /^(?:PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|USER|LOGNAME|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH)$/

/** The environment of a server, with messages in English. */
export function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(Object.entries(programEnvironment(env)).filter(([name]) => known.test(name)))
}
