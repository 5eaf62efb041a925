import { join } from 'node:path'
import { namesIn } from '../../system/paths/names-in.js'
import { firstUntrusted, type Trust, type Untrusted } from '../../system/paths/trusted-path.js'

/** Whatever pgbk may run from there. */
const isOfPostgres = (name: string) =>
  /^(pg_|postgres$|psql$|initdb$|createdb$|dropdb$|vacuumdb$|reindexdb$)/.test(name)

/** The first of PostgreSQL's programs in a directory, or the way to it, that others could change; undefined when there is none. */
export function untrustedPrograms(bin: string, trust: Trust): Untrusted | undefined {
  const own = firstUntrusted(bin, trust)
  if (own) return own
  for (const name of namesIn(bin, 'EACCES').filter(isOfPostgres)) {
    const fault = firstUntrusted(join(bin, name), trust)
    if (fault) return fault
  }
  return undefined
}
