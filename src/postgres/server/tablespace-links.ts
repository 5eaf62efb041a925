import { PgbkError } from '../../errors.js'
import { type Psql, query, queryIf } from '../connection/psql.js'
import { sql } from '../sql/sql.js'
import type { ServerFacts } from './server-facts.js'

/** A link in the server's pg_tblspc without a tablespace in the catalogue: a crash in DROP TABLESPACE or somebody's hand left it. */
export interface OrphanLink {
  /** Its name in pg_tblspc: an oid. */
  oid: string
  target: string
}

const mayList = sql`SELECT pg_catalog.has_function_privilege('pg_catalog.pg_ls_dir(text)', 'EXECUTE') AS holds`

/** Names that are not oids are left out: the server follows no such link (do_pg_backup_start in xlog.c). */
const listQuery = sql`
SELECT name FROM pg_catalog.pg_ls_dir('pg_tblspc') AS name
WHERE pg_catalog.translate(name, '0123456789', '') = '' AND pg_catalog.length(name) BETWEEN 1 AND 10
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE pg_catalog.concat(oid) = name);
`

/** Any role may ask for any oid. A directory in pg_tblspc is an error up to 14, and a relative path from 15 on. */
const targetQuery = sql`SELECT pg_catalog.pg_tablespace_location(:'oid');`

/**
 * What pg_basebackup would write to the very path of the link on this machine, because no mapping names it.
 * @returns undefined where this role may not look into pg_tblspc (only superusers may, and who was granted pg_ls_dir).
 */
export async function orphanLinks(psql: Psql): Promise<OrphanLink[] | undefined> {
  const oids = (await queryIf(psql, mayList, listQuery))?.split('\n').filter(Boolean)
  if (oids === undefined) return undefined
  const links: OrphanLink[] = []
  for (const oid of oids) {
    const target = await targetOf(psql, oid)
    if (target?.startsWith('/')) links.push({ oid, target })
  }
  return links
}

/** Undefined where it is not a link, or has gone. */
async function targetOf(psql: Psql, oid: string): Promise<string | undefined> {
  try {
    return (await query(psql, targetQuery, { values: { oid } })).replace(/\n$/, '')
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'refused') return undefined
    throw error
  }
}

const spacesQuery = sql`
SELECT pg_catalog.concat(oid, ' ', pg_catalog.pg_tablespace_location(oid)) FROM pg_catalog.pg_tablespace
WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid;
`

/** Whether the catalogue still has just those tablespaces, at their places, that are to be mapped. */
export async function areTheSame(
  psql: Psql,
  { tablespaces }: Pick<ServerFacts, 'tablespaces'>,
): Promise<boolean> {
  const wanted = tablespaces.map(({ oid, raw_location }) => `${oid} ${raw_location}`).join('\n')
  return (await query(psql, spacesQuery)).replace(/\n$/, '') === wanted
}

/** What is in the way of a backup because of such a link, and how it goes. */
export function orphanLinkText(
  { oid, target }: OrphanLink,
  dataDirectory: string | null,
): { message: string; hint: string } {
  const link = `${dataDirectory ?? "the server's data directory"}/pg_tblspc/${oid}`
  return {
    message: `pg_tblspc/${oid} of the server is a link to ${target}, and no tablespace has that oid`,
    hint: `A base backup would copy what is there, to that very path. If no CREATE or DROP TABLESPACE is running, one has left the link behind. Look at it, then remove the link on the server's machine:\n  rm ${link}`,
  }
}
