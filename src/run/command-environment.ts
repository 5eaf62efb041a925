import type { Environment } from '../context.js'
import { programEnvironment } from '../postgres/connection.js'
import type { Run } from './start-run.js'

/**
 * The environment of a COMMAND: no PG* variable that could lead it to another server, everything that leads it to this one, and the
 * run's own programs first. libpq is led to the private socket, where nobody can answer in the server's place; DATABASE_URL is for
 * programs that know TCP only.
 */
export function commandEnvironment(run: Run, bin: string, env: Environment): Environment {
  const kept = Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('PG') || name.startsWith('PGBK_')),
  )
  return {
    ...kept,
    PATH: `${bin}:${programEnvironment(env).PATH}`,
    PGHOST: run.directory.sockets,
    PGPORT: String(run.port),
    PGUSER: run.role,
    PGDATABASE: run.database,
    ...(run.password === undefined ? {} : { PGPASSWORD: run.password }),
    DATABASE_URL: run.url,
  }
}
