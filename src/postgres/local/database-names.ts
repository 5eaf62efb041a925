import { shownText, textOf } from '../../text/raw-text.js'
import { sql } from '../sql/sql.js'
import type { SqlClient } from './sql-client.js'

/** One of the databases of a server that pgbk has started itself. */
export interface NamedDatabase {
  /** As a session has to say it (raw-text.ts). */
  raw: string
  /** For people. */
  shown: string
  /** Why nobody can connect to it; undefined where its superuser can. */
  closed: string | undefined
}

/**
 * Names are asked for as bytes, which no encoding of a session changes, or fails to: decode() takes a backslash for more than one
 * character. The remains of a DROP DATABASE have no size.
 */
const namesQuery = sql`
SELECT pg_catalog.encode(pg_catalog.decode(pg_catalog.replace(datname, pg_catalog.chr(92), pg_catalog.repeat(pg_catalog.chr(92), 2)),
    'escape'), 'hex') AS name,
  pg_catalog.pg_encoding_to_char(encoding) AS encoding,
  CASE WHEN datconnlimit = -2 THEN 'it is invalid, what an interrupted DROP DATABASE has left behind'
    WHEN NOT datallowconn THEN 'it allows no connections' END AS closed
FROM pg_catalog.pg_database
ORDER BY datistemplate, datconnlimit = 0, CASE WHEN $1 = 'true' AND datconnlimit <> -2 THEN pg_catalog.pg_database_size(oid) END DESC NULLS LAST, datname`

/**
 * All of them, those first that are most likely meant when none is named: open ones that are not templates; `bySize`, the largest
 * before others, for which the server looks at every file of theirs.
 */
export async function namedDatabases(client: SqlClient, { bySize = false } = {}): Promise<NamedDatabase[]> {
  const rows = await client.run(namesQuery, [String(bySize)])
  return rows.map(({ name, encoding, closed }) => {
    const raw = textOf(Buffer.from(String(name), 'hex'))
    return {
      raw,
      shown: shownText(raw, String(encoding)),
      closed: closed === null ? undefined : String(closed),
    }
  })
}
