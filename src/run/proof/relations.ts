import type { SqlClient } from '../../postgres/local/sql-client.js'
import { Sql, sql } from '../../postgres/sql/sql.js'

/** A table, materialized view or TOAST table of the method `heap`, or a btree index that is in use. */
export interface Relation {
  oid: string
  kind: 'heap' | 'btree'
  schema: string
  name: string
  /** OIDs of it and, for an index, of its table: the locks of both are needed. */
  locks: number[]
  /** OIDs of the collations that an index is ordered by. */
  collations: number[]
}

/** Those of one database, the largest first, so that two sessions end at about the same time. Nothing of it runs code of the data. */
export async function relationsOf(client: SqlClient): Promise<Relation[]> {
  const rows = await client.run(checkable)
  return rows.map(({ oid, relkind, nspname, relname, indrelid, collations }) => ({
    oid: String(oid),
    kind: relkind === 'i' ? 'btree' : 'heap',
    schema: String(nspname),
    name: String(relname),
    locks: [Number(oid), Number(indrelid ?? oid)],
    collations: String(collations ?? '')
      .split(' ')
      .map(Number),
  }))
}

/** HEAP_TABLE_AM_OID is 2, BTREE_AM_OID 403 (pg_am.dat). What other sessions hold as temporary is empty in a copy, and nobody's. */
const checkable = sql`
SELECT c.oid, c.relkind, n.nspname, c.relname, i.indrelid, i.indcollation AS collations
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm', 't') AND c.relam = 2
    OR c.relkind = 'i' AND c.relam = 403 AND i.indisvalid AND i.indisready AND i.indislive)
ORDER BY c.relpages DESC, c.oid`

export function inWords({ kind, schema, name }: Relation): string {
  return `${kind === 'btree' ? 'index' : 'table'} ${schema}.${name}`
}

/** What is wrong with the file of something that has storage, whatever its kind. Methods of extensions may do without one. */
export async function badFiles(client: SqlClient): Promise<{ what: string; fault: string }[]> {
  const rows = await client.run(bad)
  return rows.map(({ kind, nspname, relname, path, size }) => ({
    what: `${kind} ${nspname}.${relname}`,
    fault:
      size === null
        ? `its file ${path} is missing`
        : `its file ${path} has ${size} bytes, and ends within a page`,
  }))
}

const bad = sql`
SELECT CASE relkind WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, nspname, relname, path, size
FROM (SELECT c.relkind, n.nspname, c.relname, file.path, (pg_catalog.pg_stat_file(file.path, true)).size
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
  LATERAL (SELECT pg_catalog.pg_relation_filepath(c.oid) AS path) file
  WHERE c.relkind IN ('r', 'm', 't', 'i', 'S') AND c.relam < 16384 AND c.relpersistence <> 't' AND file.path IS NOT NULL) stored
WHERE size IS NULL OR size % (pg_catalog.pg_control_init()).database_block_size <> 0
ORDER BY nspname, relname
LIMIT 6`

/** What there is to check with. */
interface Means {
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
