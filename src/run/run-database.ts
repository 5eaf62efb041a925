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
  const rows = await client.run(
    sql`SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datistemplate, pg_catalog.pg_database_size(oid) DESC`,
  )
  const names = rows.map(({ datname }) => String(datname))
  const database = wanted ?? largestDatabase(record)
  if (names.includes(database)) return database
  const [largest] = names
  if (wanted === undefined && largest !== undefined) return largest
  throw new PgbkError('failed', `there is no database ${JSON.stringify(database)} at that moment`, {
    hint: `There are:\n${names.map((name) => `  ${name}`).join('\n')}`,
  })
}
