import type { BackupRecord } from '../backup/record.js'
import { largestDatabase } from '../backup/record.js'
import { PgbkError } from '../errors.js'
import { sql } from '../postgres/sql.js'
import type { SqlClient } from '../postgres/sql-client.js'

/**
 * The database that a run is for. Replay may have made some, and dropped others.
 * @param wanted by name; else the largest of the backup, or of those that there are.
 * @throws {PgbkError} `failed` when the wanted one is not there.
 */
export async function chooseDatabase(
  client: SqlClient,
  record: BackupRecord,
  wanted: string | undefined,
): Promise<string> {
  const rows = await client.run(databasesQuery)
  const names = rows.filter(({ closed }) => closed === null).map(({ datname }) => String(datname))
  const database = wanted ?? largestDatabase(record)
  if (names.includes(database)) return database
  const [largest] = names
  if (wanted === undefined && largest !== undefined) return largest
  const closed = rows.find(({ datname }) => datname === database)
  if (closed)
    throw new PgbkError(
      'failed',
      `nobody can connect to database ${JSON.stringify(database)}: ${closed.closed}`,
      {
        hint: `There are:\n${names.map((name) => `  ${name}`).join('\n')}`,
      },
    )
  throw new PgbkError('failed', `there is no database ${JSON.stringify(database)} at that moment`, {
    hint: `There are:\n${names.map((name) => `  ${name}`).join('\n')}`,
  })
}

/** The remains of a DROP DATABASE have no size. */
const databasesQuery = sql`
SELECT datname, CASE WHEN datconnlimit = -2 THEN 'it is invalid, what an interrupted DROP DATABASE has left behind'
    WHEN NOT datallowconn THEN 'it allows no connections' END AS closed
FROM pg_catalog.pg_database
ORDER BY datistemplate, datconnlimit = 0, CASE WHEN datconnlimit <> -2 THEN pg_catalog.pg_database_size(oid) END DESC NULLS LAST`
