import { setTimeout as sleep } from 'node:timers/promises'
import { type Psql, queryIf } from '../connection/psql.js'
import { identifier } from '../sql/identifier.js'
import { sql } from '../sql/sql.js'
import type { ServerFacts } from './server-facts.js'
import { orphanLinks, orphanLinkText } from './tablespace-links.js'

/** What makes a copy of the server's files incomplete, or lead out of it. */
export interface DataObstacle {
  topic: 'tablespaces' | 'databases'
  code: 'refused'
  message: string
  hint: string
}

/** As far as the role may look into the data directory by SQL. */
export async function dataObstacles(psql: Psql, facts: ServerFacts): Promise<DataObstacle[]> {
  const code = 'refused' as const
  const links = ((await orphanLinks(psql)) ?? []).map((link) => ({
    topic: 'tablespaces' as const,
    code,
    ...orphanLinkText(link, facts.data_directory),
  }))
  const databases = (await missingDatabases(psql, facts)).map((name) => ({
    topic: 'databases' as const,
    code,
    message: `the directory of database ${name} is gone or empty on the server`,
    hint: `Nobody can connect to it. Drop it, then restore it from an older backup:\n  DROP DATABASE ${identifier(name)};`,
  }))
  return [...links, ...databases]
}

const mayLook = sql`SELECT pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE') AS holds`

/** In the default tablespace: where the others are depends on the catalogue's version. Links are followed. */
const missingQuery = sql`
SELECT oid FROM pg_catalog.pg_database
WHERE dattablespace = 1663 AND datconnlimit <> -2
  AND pg_catalog.pg_stat_file(pg_catalog.concat('base/', oid, '/PG_VERSION'), true) IS NULL;
`

/** Databases whose directory is gone, or empty, on the server itself; none where this role may not look. */
async function missingDatabases(psql: Psql, { databases }: ServerFacts): Promise<string[]> {
  const look = async () => (await queryIf(psql, mayLook, missingQuery))?.split('\n').filter(Boolean) ?? []
  if ((await look()).length === 0) return []
  // A DROP DATABASE that has removed the directory commits right after.
  await sleep(1000, undefined, { signal: psql.signal })
  const oids = await look()
  return databases.filter(({ oid }) => oids.includes(String(oid))).map(({ name }) => name)
}
