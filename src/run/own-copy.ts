import { randomBytes } from 'node:crypto'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import type { SqlClient } from '../postgres/local/sql-client.js'
import { lockNotAvailable, wordsOf } from '../postgres/sql/server-words.js'
import { Sql, sql } from '../postgres/sql/sql.js'

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
