import { isAbsolute, join } from 'node:path'
import type { Context } from '../../context.js'

/** What pgbk keeps for a user, of all roots, and could do without: the one place for it. */
export function cacheDirectory({ env, user }: Pick<Context, 'env' | 'user'>): string {
  const { XDG_CACHE_HOME: named = '' } = env
  return join(isAbsolute(named) ? named : join(env.HOME || user().home, '.cache'), 'pgbk')
}
