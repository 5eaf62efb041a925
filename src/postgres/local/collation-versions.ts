import { messageOf } from '../../errors.js'
import { sql } from '../sql/sql.js'
import type { SqlClient } from './sql-client.js'

/** DEFAULT_COLLATION_OID in pg_collation.dat: that of the database. */
const ofDatabase = 100

/**
 * Which collations sort here in another way than where the data was written, by their OIDs, as one database of a copy knows them:
 * indexes that use them may be in an order that is wrong here, and was right there.
 * @param libc what is different of the C library, for databases that do not record the version of their collation (before 15).
 */
export async function otherCollationVersions(
  client: SqlClient,
  major: number,
  libc: string | undefined,
): Promise<Map<number, string>> {
  const others = new Map<number, string>()
  const note = (rows: Record<string, unknown>[]) => {
    for (const { oid, name, there, here } of rows)
      if (here !== there)
        others.set(
          Number(oid),
          `collation ${name} is of version ${here ?? 'unknown'} here, and was of ${there}`,
        )
  }
  try {
    note(await client.run(named))
    if (major >= 15) note(await client.run(ofThisDatabase))
    else if (libc !== undefined) others.set(ofDatabase, libc)
  } catch (error) {
    // A locale that is not here has no version.
    others.set(ofDatabase, messageOf(error))
  }
  return others
}

const named = sql`
SELECT oid, collname AS name, collversion AS there, pg_catalog.pg_collation_actual_version(oid) AS here
FROM pg_catalog.pg_collation
WHERE collversion IS NOT NULL AND oid IN (
  SELECT pg_catalog.unnest(indcollation) FROM pg_catalog.pg_index)`

/** Before 15 a database has no version. */
const ofThisDatabase = sql`
SELECT 100 AS oid, 'of the database' AS name, datcollversion AS there,
  pg_catalog.pg_database_collation_actual_version(oid) AS here
FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND datcollversion IS NOT NULL`
