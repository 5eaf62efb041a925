import { hasProc } from '../../system/process/process-table.js'

/**
 * Words that start a program with no capability and no way to more rights, such as setuid programs.
 * @param rules whether it starts in a user name space of its own, where there are capabilities to lose: elsewhere an ordinary user
 * may not change the bounding set, and where setpriv of Debian 12 is silent about that, Debian 13's fails.
 */
export function withoutRights(rules: boolean): string[] {
  const dropped = ['--ambient-caps=-all', '--inh-caps=-all', '--no-new-privs']
  return hasProc() ? ['setpriv', ...dropped, ...(rules ? ['--bounding-set=-all'] : [])] : []
}
