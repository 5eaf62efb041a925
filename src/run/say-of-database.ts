import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { otherCollationVersions } from '../postgres/local/collation-versions.js'
import { otherCollations, unloadedLibraries } from '../postgres/local/differences.js'
import { connectSql, type SqlClient } from '../postgres/local/sql-client.js'
import { sql } from '../postgres/sql/sql.js'
import { runSocket } from './identity.js'
import type { Run } from './start-run.js'

/**
 * Says what whoever works in the database of a run should know, and only the running server can tell: triggers at login, which may
 * refuse a session, libraries that are not loaded, and collations of other versions. (What is different of the C library is said before
 * the start.)
 */
export async function sayOfDatabase(run: Run, record: BackupRecord, context: Context): Promise<void> {
  const { database, major, role } = run
  const { signal, progress } = context
  const client = await connectSql({ ...runSocket(run), user: role, database, major, signal })
  if (!client) return
  try {
    const triggers = await loginTriggers(client, major)
    if (triggers.length > 0)
      progress.say(
        `database ${database} has triggers at login (${triggers.join(', ')}): where one refuses a session, set PGOPTIONS='-c event_triggers=off'`,
      )
    const unloaded = unloadedLibraries(record, String((await client.run(preloaded))[0]?.names ?? ''))
    if (unloaded.length > 0)
      progress.say(
        `the server preloads ${unloaded.join(', ')} (shared_preload_libraries), and this copy does not: what needs that fails; where it is installed, -c shared_preload_libraries=NAME loads it`,
      )
    if ((await otherCollations(record, context)).length > 0) return
    for (const text of (await otherCollationVersions(client, major, undefined)).values())
      progress.say(`${text}: indexes that use it may be in a wrong order (REINDEX if it matters)`)
  } finally {
    await client.end()
  }
}

const preloaded = sql`SELECT pg_catalog.current_setting('shared_preload_libraries') AS names`

/** From 17 on there are any; those that are disabled, or for replicas, do not fire. */
async function loginTriggers(client: SqlClient, major: number): Promise<string[]> {
  const rows = major >= 17 ? await client.run(atLogin) : []
  return rows.map(({ evtname }) => String(evtname))
}

const atLogin = sql`
SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtevent = 'login' AND evtenabled IN ('O', 'A') ORDER BY evtname`
