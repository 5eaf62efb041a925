import type { BackupRecord } from '../backup/record.js'
import { largestDatabase } from '../backup/recorded-database.js'
import { PgbkError } from '../errors.js'
import { namedDatabases } from '../postgres/database-names.js'
import type { SqlClient } from '../postgres/sql-client.js'
import { isRaw } from '../raw-text.js'

/**
 * The database that a run is for. Replay may have made some, and dropped others.
 * @param wanted by name; else the largest of the backup, or of those that there are.
 * @returns its name as a session has to say it (raw-text.ts).
 * @throws {PgbkError} `failed` when the wanted one is not there, or nobody can connect to it.
 */
export async function chooseDatabase(
  client: SqlClient,
  record: BackupRecord,
  wanted: string | undefined,
): Promise<string> {
  const all = await namedDatabases(client)
  const open = all.filter(({ closed }) => closed === undefined)
  const database = wanted ?? largestDatabase(record)
  const named = all.find(({ raw }) => raw === database) ?? all.find(({ shown }) => shown === database)
  if (named && named.closed === undefined) return named.raw
  const [largest] = open.filter(({ raw }) => !isRaw(raw))
  if (wanted === undefined && largest !== undefined) return largest.raw
  const message = named
    ? `nobody can connect to database ${JSON.stringify(database)}: ${named.closed}`
    : `there is no database ${JSON.stringify(database)} at that moment`
  throw new PgbkError('failed', message, {
    hint: `There are:\n${open.map(({ shown }) => `  ${shown}`).join('\n')}`,
  })
}
