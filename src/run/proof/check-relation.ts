import type { SqlClient } from '../../postgres/local/sql-client.js'
import { Sql, sql } from '../../postgres/sql/sql.js'
import type { Relation } from './relations.js'

/** What there is to check with. */
export interface Means {
  amcheck: boolean
  /** Of PostgreSQL: before 14, amcheck knows indexes alone. */
  major: number
}

/**
 * Lets amcheck look at a table or an index; a table that it cannot look at is read.
 * @returns what is wrong with it, in the words of amcheck; none for an index that nothing can be said of.
 * @throws {PgbkError} what the server says of it: for an index that is how amcheck tells.
 */
export async function checkRelation(client: SqlClient, relation: Relation, means: Means): Promise<string[]> {
  const { oid, kind, schema, name } = relation
  if (kind === 'btree') {
    if (means.amcheck) await client.run(checkIndex, [oid])
    return []
  }
  if (means.amcheck && means.major >= 14)
    return (await client.run(checkTable, [oid])).map(({ blkno, offnum, attnum, msg }) =>
      [
        ...(blkno === null ? [] : [`block ${blkno}`]),
        ...(offnum === null ? [] : [`row ${offnum}`]),
        ...(attnum === null ? [] : [`column ${attnum}`]),
        String(msg),
      ].join(', '),
    )
  // The row as a whole: for nothing of it, an index might be read instead.
  await client.run(sql`SELECT pg_catalog.count(t.*) FROM ONLY ${Sql.named(schema)}.${Sql.named(name)} t`)
  return []
}

const checkIndex = sql`SELECT pg_catalog.bt_index_check(index => $1, heapallindexed => false)`
const checkTable = sql`
SELECT blkno, offnum, attnum, msg
FROM pg_catalog.verify_heapam(relation => $1, on_error_stop => false, check_toast => true, skip => 'none')
LIMIT 6`

/**
 * Whether the visibility map is true (pg_visibility): rows that it calls visible to all, or frozen, and that are not, make queries
 * wrong, and are lost later.
 * @throws {PgbkError} `failed`.
 */
export async function checkVisibility(client: SqlClient, { oid }: Relation): Promise<string[]> {
  const [invisible] = await client.run(notVisible, [oid])
  const [unfrozen] = await client.run(notFrozen, [oid])
  return [
    ...(invisible ? [`row ${invisible.row} is not visible to all, although the visibility map says so`] : []),
    ...(unfrozen ? [`row ${unfrozen.row} is not frozen, although the visibility map says so`] : []),
  ]
}

const notVisible = sql`SELECT t_ctid AS row FROM pg_catalog.pg_check_visible($1) LIMIT 1`
const notFrozen = sql`SELECT t_ctid AS row FROM pg_catalog.pg_check_frozen($1) LIMIT 1`
