import { existsSync } from 'node:fs'
import type { Owner } from '../backup/owner.js'
import type { Context } from '../context.js'
import { programEnvironment } from './connection.js'

/** Words that start a program as this user: PostgreSQL refuses root, and no capability of a namespace is left to it. */
export function asOwner({ uid, gid }: Owner, context: Context): string[] {
  const dropped = ['--inh-caps=-all', '--bounding-set=-all']
  if (context.user().uid === 0)
    return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...dropped]
  return existsSync('/proc/self/status') ? ['setpriv', '--ambient-caps=-all', ...dropped] : []
}

/** Nothing of the caller's PG* variables: some of them speak to the server too. */
export function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(
    Object.entries(programEnvironment(env)).filter(([name]) => !name.startsWith('PG')),
  )
}
