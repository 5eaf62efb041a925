import type { Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { isRaw } from '../text/raw-text.js'
import type { Run } from './start-run.js'

/**
 * What leads a COMMAND to the server of a run. libpq is led to the private socket, where nobody can answer in the server's place; DATABASE_URL is for
 * programs that know TCP only.
 * @throws {PgbkError} `failed` for a database that has a raw name.
 */
export function commandVariables(run: Run): Environment {
  if (isRaw(run.database))
    throw new PgbkError(
      'failed',
      'the name of that database cannot be passed to a COMMAND: it is not UTF-8',
      {
        hint: 'Leave the COMMAND out and connect by the URL that is shown then, or choose another one with --database.',
      },
    )
  return {
    PGHOST: run.directory.sockets,
    PGPORT: String(run.port),
    PGUSER: run.role,
    PGDATABASE: run.database,
    ...(run.password === undefined ? {} : { PGPASSWORD: run.password }),
    DATABASE_URL: run.url,
  }
}
