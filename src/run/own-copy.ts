import { randomBytes } from 'node:crypto'
import type { BackupRecord } from '../catalog/record.js'
import { largestDatabase } from '../catalog/recorded-database.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { type NamedDatabase, namedDatabases } from '../postgres/local/database-names.js'
import type { SqlClient } from '../postgres/local/sql-client.js'
import { lockNotAvailable, wordsOf } from '../postgres/sql/server-words.js'
import { Sql, sql } from '../postgres/sql/sql.js'
import { isRaw } from '../text/raw-text.js'

/**
 * @returns the new password of the superuser; undefined where a prepared transaction keeps it from being changed: the run is reached
 * through its socket alone then.
 */
export async function givePassword(
  client: SqlClient,
  superuser: string,
  { progress }: Context,
): Promise<string | undefined> {
  const password = randomBytes(12).toString('base64url')
  await client.run(sql`SET password_encryption = 'scram-sha-256'`)
  try {
    await client.run(
      sql`ALTER ROLE ${Sql.named(superuser)} PASSWORD ${Sql.quoted(password)} VALID UNTIL 'infinity'`,
    )
    return password
  } catch (error) {
    if (wordsOf(error)?.sqlstate !== lockNotAvailable) throw error
    progress.warn(
      `the role ${superuser} gets no password, and the run is reached through its socket alone: ${messageOf(error)}`,
    )
    return undefined
  }
}

/**
 * Cuts a copy off from the servers that the data knows: DROP SUBSCRIPTION in the copy would go to the real publisher and drop the
 * slot that production needs.
 */
export async function cutOffPublishers(client: SqlClient): Promise<void> {
  await client.run(withoutPublishers)
}

const withoutPublishers = sql`UPDATE pg_catalog.pg_subscription SET subenabled = false, subslotname = NULL, subconninfo = 'host=/nowhere'`

/** Where there is no WAL to replay, nothing can be paused; sessions begin as they would then. */
export async function makeReadOnly(client: SqlClient): Promise<void> {
  await client.run(readOnly)
}

const readOnly = sql`ALTER ROLE ALL SET default_transaction_read_only = on`

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
