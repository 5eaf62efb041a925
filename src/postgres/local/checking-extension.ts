import { Sql, sql } from '../sql/sql.js'
import type { SqlClient } from './sql-client.js'

/**
 * Makes an extension that checks data usable in one database of a copy: in pg_catalog, where nobody else can have put a function
 * that would fit its calls better, and as new as it is here.
 * @returns whether it is there; it is not where this machine has none of it.
 * @throws {PgbkError} `failed`.
 */
export async function bringHome(
  client: SqlClient,
  name: 'amcheck' | 'pg_visibility',
  major: number,
): Promise<boolean> {
  const [found] = await client.run(state, [name])
  if (!found) return false
  const { is_there, is_elsewhere, is_other } = found
  const steps = [
    ...(is_there ? [] : [sql`CREATE EXTENSION ${Sql.named(name)} WITH SCHEMA pg_catalog`]),
    ...(is_elsewhere ? [sql`ALTER EXTENSION ${Sql.named(name)} SET SCHEMA pg_catalog`] : []),
    ...(is_other ? [sql`ALTER EXTENSION ${Sql.named(name)} UPDATE`] : []),
  ]
  if (steps.length > 0) await withoutEventTriggers(client, major, steps)
  return true
}

const state = sql`
SELECT there.oid IS NOT NULL AS is_there, there.extnamespace <> 'pg_catalog'::pg_catalog.regnamespace AS is_elsewhere,
  there.extversion <> here.default_version AS is_other
FROM pg_catalog.pg_available_extensions here LEFT JOIN pg_catalog.pg_extension there ON there.extname = here.name
WHERE here.name = $1`

/**
 * Event triggers would have a say in what is defined. From 17 on the session has none (session-pins.ts); before, those of the copy
 * rest for as long as the transaction lasts.
 */
async function withoutEventTriggers(client: SqlClient, major: number, steps: Sql[]): Promise<void> {
  await client.run(sql`BEGIN`)
  try {
    const resting = major >= 17 ? [] : await client.run(active)
    if (resting.length > 0) await client.run(sql`UPDATE pg_catalog.pg_event_trigger SET evtenabled = 'D'`)
    for (const step of steps) await client.run(step)
    for (const { oid, evtenabled } of resting) await client.run(wake, [String(evtenabled), String(oid)])
    await client.run(sql`COMMIT`)
  } catch (error) {
    await client.run(sql`ROLLBACK`).catch(() => {})
    throw error
  }
}

const active = sql`SELECT oid, evtenabled FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'`
const wake = sql`UPDATE pg_catalog.pg_event_trigger SET evtenabled = $1 WHERE oid = $2`
