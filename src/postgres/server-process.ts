import { existsSync } from 'node:fs'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { programEnvironment } from './connection.js'

/** Words before a server's command: no capability of a namespace is left to it. */
export function serverWords(): string[] {
  if (!existsSync('/proc/self/status')) return []
  return ['setpriv', '--ambient-caps=-all', '--inh-caps=-all', '--bounding-set=-all']
}

/** The same for a run. */
export function asOwner(_owner: Owner, _context: Context): string[] {
  return serverWords()
}

/** Nothing of the caller's PG* variables: some of them speak to the server too. */
export function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(
    Object.entries(programEnvironment(env)).filter(([name]) => !name.startsWith('PG')),
  )
}
