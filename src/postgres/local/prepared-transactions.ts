import { type Sql, sql } from '../sql/sql.js'

/** Runs a statement in a session of pgbk's own. */
type Ask = (statement: Sql) => Promise<Record<string, unknown>[]>

/** The prepared transactions that a copy has, in words: they hold their locks until somebody ends them. */
export async function preparedTransactions(run: Ask): Promise<string[]> {
  const rows = await run(allPrepared)
  const told = rows.slice(0, mostTold).map(({ gid, owner, database }) => inWords(gid, owner, database))
  return rows.length > mostTold ? [...told, `one of ${rows.length - mostTold} more`] : told
}

const mostTold = 3

const allPrepared = sql`SELECT gid, owner, database FROM pg_catalog.pg_prepared_xacts ORDER BY prepared, gid`

/** Which prepared transaction lets nobody even read a table or an index, by its OID. */
export async function closedRelations(run: Ask): Promise<Map<number, string>> {
  const rows = await run(closing)
  return new Map(
    rows.map(({ relation, gid, owner, database }) => [Number(relation), inWords(gid, owner, database)]),
  )
}

/** Each holds a lock on its own transaction id, by which its others are found (lock.c, twophase.c). */
const closing = sql`
SELECT held.relation, prepared.gid, prepared.owner, prepared.database
FROM pg_catalog.pg_prepared_xacts prepared
JOIN pg_catalog.pg_locks own ON own.locktype = 'transactionid' AND own.transactionid = prepared.transaction
  AND own.mode = 'ExclusiveLock'
JOIN pg_catalog.pg_locks held ON held.virtualtransaction = own.virtualtransaction
  AND held.locktype = 'relation' AND held.mode = 'AccessExclusiveLock'
WHERE held.database IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`

function inWords(gid: unknown, owner: unknown, database: unknown): string {
  return `prepared transaction '${gid}' of ${owner} in ${database}`
}
