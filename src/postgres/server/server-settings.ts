import { v } from '../../schema.js'
import { querySettings } from '../../snapshot/conf/conf.js'
import { jsonAnswer } from '../connection/json-answer.js'
import { type Psql, query, replicationCommands } from '../connection/psql.js'
import { sql } from '../sql/sql.js'
import type { ServerFacts } from './server-facts.js'

/** How the server is configured, as far as the role may know. */
export interface ServerSettings {
  /** As in `ServerFacts.settings`, with those that the role or the database of the connection hides. */
  settings: Record<string, string>
  /** Settings with a dot in their name that the configuration files set (`app.tenant`); pg_settings does not list them. */
  custom: Record<string, string>
}

/** @throws {PgbkError} when the connection is lost. */
export async function readServerSettings(psql: Psql, facts: ServerFacts): Promise<ServerSettings> {
  return {
    settings: { ...facts.settings, ...(await readOverridden(psql, facts)) },
    custom: facts.role_is_superuser
      ? jsonAnswer(v.record(v.string(), v.string()), await query(psql, customQuery))
      : {},
  }
}

const customQuery = sql`
SELECT coalesce(pg_catalog.jsonb_object_agg(name, setting ORDER BY seqno), '{}')
FROM pg_catalog.pg_file_settings WHERE applied AND name LIKE '%.%';
`

/** A physical replication connection has no database, and gets no settings of roles (InitPostgres in postinit.c). */
async function readOverridden(psql: Psql, { overridden }: ServerFacts): Promise<Record<string, string>> {
  const names = querySettings.filter((name) => overridden.includes(name))
  if (names.length === 0) return {}
  const values = await replicationCommands(
    psql,
    names.map((name) => `SHOW ${name}` as const),
  )
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
}
