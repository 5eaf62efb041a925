import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackupLayout } from '../../catalog/layout.js'
import { PgbkError } from '../../errors.js'
import { type Psql, query } from '../../postgres/connection/psql.js'
import {
  type DatabaseFacts,
  defaultTablespace,
  isInvalid,
  type ServerFacts,
} from '../../postgres/server/server-facts.js'
import { sql } from '../../postgres/sql/sql.js'

/** Of each database that is not the remains of a DROP DATABASE: in which tablespace it is. */
const placesQuery = sql`SELECT pg_catalog.concat(oid, ' ', dattablespace) FROM pg_catalog.pg_database WHERE datconnlimit <> -2;`

/**
 * Whether every database has its directory in the copy. Only those count that were there before the copy began and still are, in the
 * same place: of all others, replay makes or removes the directories.
 * @param before the databases, as the server had them before.
 * @throws {PgbkError} `refused`, naming those that have not come.
 */
export async function checkDatabases(
  psql: Psql,
  { databases: before }: Pick<ServerFacts, 'databases'>,
  layout: BackupLayout,
): Promise<void> {
  const without = before.filter((database) => !isInvalid(database) && !isComplete(database, layout))
  if (without.length === 0) return
  // A DROP DATABASE that has removed the directory commits right after.
  await sleep(1000, undefined, { signal: psql.signal })
  const now = new Set((await query(psql, placesQuery)).trim().split('\n'))
  const lacking = without.filter(({ oid, tablespace }) => now.has(`${oid} ${tablespace}`))
  if (lacking.length === 0) return
  const named = lacking.map(({ name, oid }) => `${name} (base/${oid} or its like in its tablespace)`)
  throw new PgbkError('refused', `the directory of database ${named.join(', ')} was not sent`, {
    hint: "Look at it in the server's data directory. A symbolic link there has to become a directory again, or a tablespace. Where it is gone, or empty, its data is lost on the server itself: DROP DATABASE, then restore it from an older backup.",
  })
}

/** Without either file nobody can connect (InitPostgres in postinit.c, read_relmap_file in relmapper.c). */
function isComplete(database: DatabaseFacts, layout: BackupLayout): boolean {
  const directory = directoryOf(database, layout)
  return (
    directory !== undefined &&
    ['PG_VERSION', 'pg_filenode.map'].every((name) => existsSync(join(directory, name)))
  )
}

function directoryOf({ oid, tablespace }: DatabaseFacts, layout: BackupLayout): string | undefined {
  if (tablespace === defaultTablespace) return join(layout.data, 'base', String(oid))
  const space = join(layout.tablespaceLinks, String(tablespace))
  if (!existsSync(space)) return undefined
  const [version] = readdirSync(space).filter((name) => name.startsWith('PG_'))
  return version === undefined ? undefined : join(space, version, String(oid))
}
