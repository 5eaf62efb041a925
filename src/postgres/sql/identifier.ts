import { PgbkError } from '../../errors.js'

/**
 * A name as SQL takes it, whatever stands in it: quoted unless it is a plain word that no major reserves, as quote_ident() does
 * (src/backend/utils/adt/ruleutils.c). It means the same under every setting of the server.
 * @throws {PgbkError} `failed` for a zero byte, which no name has.
 */
export function identifier(name: string): string {
  const isPlain = /^[a-z_][a-z0-9_]*$/.test(name) && !keywords.has(name)
  return isPlain ? name : `"${withoutZero(name).replaceAll('"', '""')}"`
}

/**
 * A text as an SQL literal, which means the same with standard_conforming_strings on and off (PQescapeLiteral does it alike).
 * @throws {PgbkError} `failed` for a zero byte, which no text of PostgreSQL has.
 */
export function literal(text: string): string {
  const quoted = `'${withoutZero(text).replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

function withoutZero(text: string): string {
  if (!text.includes('\0')) return text
  throw new PgbkError('failed', `${JSON.stringify(text)} has a zero byte, and cannot be said to PostgreSQL`)
}

/** All that pg_get_keywords() of 13 to 18 does not call unreserved. */
const keywords = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char
  character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
  current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else
  end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in
  initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists json_object
  json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
  localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out
  outer overlaps overlay placing position precision primary real references returning right row select session_user setof
  similar smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union
  unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists
  xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`.split(/\s+/),
)
