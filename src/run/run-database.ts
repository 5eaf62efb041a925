import type { BackupRecord } from '../catalog/record.js'
import { largestDatabase } from '../catalog/recorded-database.js'
import { PgbkError } from '../errors.js'
import { type NamedDatabase, namedDatabases } from '../postgres/local/database-names.js'
import type { SqlClient } from '../postgres/local/sql-client.js'
import { isRaw } from '../text/raw-text.js'

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
  const database = wanted ?? largestDatabase(record)
  const named = nameOf(database, await namedDatabases(client))
  if (named && named.closed === undefined) return named.raw
  const open = (await namedDatabases(client, { bySize: true })).filter(({ closed }) => closed === undefined)
  const [largest] = open.filter(({ raw }) => !isRaw(raw))
  if (wanted === undefined && largest !== undefined) return largest.raw
  const message = named
    ? `nobody can connect to database ${JSON.stringify(database)}: ${named.closed}`
    : `there is no database ${JSON.stringify(database)} at that moment`
  throw new PgbkError('failed', message, {
    hint: `There are:\n${open.map(({ shown }) => `  ${shown}`).join('\n')}`,
  })
}

function nameOf(database: string, all: NamedDatabase[]): NamedDatabase | undefined {
  return all.find(({ raw }) => raw === database) ?? all.find(({ shown }) => shown === database)
}
