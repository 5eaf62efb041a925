import { v } from '../../schema.js'
import { querySettings } from '../../snapshot/conf/conf.js'
import { recoveryMinimums } from '../../snapshot/conf/minimums.js'
import { jsonAnswer } from '../connection/json-answer.js'
import { type Psql, queryWithPlace } from '../connection/psql.js'
import type { ServerPlace } from '../connection/server-place.js'
import { sql } from '../sql/sql.js'
import { shownNames } from './shown-names.js'

const text = v.nullable(v.string())

const tablespaceSchema = v.object({
  oid: v.number(),
  name: v.string(),
  /** As pg_tablespace_location() says it (raw-text.ts): absolute; relative in a copy; `pg_tblspc/<oid>` when it is in place. */
  raw_location: v.string(),
})

const databaseSchema = v.object({
  oid: v.number(),
  /** As the server has it (raw-text.ts). */
  raw_name: v.string(),
  /** The oid of its tablespace; `defaultTablespace` is pg_default's. */
  tablespace: v.number(),
  /** datconnlimit: how many sessions it takes; -1 is no limit. */
  connection_limit: v.number(),
  allows_connections: v.boolean(),
  can_connect: v.boolean(),
  /** Bytes; null where the role may not ask. */
  size_bytes: v.nullable(v.number()),
  encoding: v.string(),
  locale_provider: v.string(),
  locale: v.string(),
  ctype: v.string(),
  collation_version: text,
})

/** Null means that this role may not know it. */
const schema = v.object({
  version_num: v.number(),
  version: v.string(),
  version_string: v.string(),
  libc_version: text,
  icu_version: text,
  system_identifier: v.string(),
  /** Of the database that was asked. */
  encoding: v.string(),
  cluster_name: v.string(),
  client_address: text,
  in_recovery: v.boolean(),
  role: v.string(),
  role_is_superuser: v.boolean(),
  role_can_replicate: v.boolean(),
  superuser: v.string(),
  wal_level: v.string(),
  max_wal_senders: v.number(),
  wal_senders: v.number(),
  max_replication_slots: v.number(),
  replication_slots: v.number(),
  wal_segment_size: v.number(),
  data_checksums: v.boolean(),
  data_directory: text,
  config_files: v.array(v.string()),
  preload_libraries: text,
  /** A managed service whose superuser role gives it away. */
  managed_by: text,
  tablespaces: v.array(tablespaceSchema),
  databases: v.array(databaseSchema),
  /** The server's `recoveryMinimums`, and those `querySettings` that it has set. */
  settings: v.record(v.string(), v.string()),
  /** Those `querySettings` that the role or the database of this connection sets otherwise, so that they could not be seen. */
  overridden: v.array(v.string()),
  /** All that its configuration files set, as far as the role may see it. */
  configured: v.record(v.string(), v.string()),
})

const pinsSchema = v.record(v.string(), v.object({ setting: v.string(), kind: text }))

/** `name` and `location` are for people. */
export type TablespaceFacts = v.InferOutput<typeof tablespaceSchema> & { location: string }
export type DatabaseFacts = v.InferOutput<typeof databaseSchema> & { name: string }

/** What the server says about itself. */
export interface ServerFacts extends Omit<v.InferOutput<typeof schema>, 'encoding'>, ServerPlace {
  tablespaces: TablespaceFacts[]
  databases: DatabaseFacts[]
}

/** @throws {PgbkError} `unreachable` or `refused`. */
export async function readServerFacts(psql: Psql): Promise<ServerFacts> {
  const { answer, ...place } = await queryWithPlace(psql, factsQuery, { values })
  const [told = '', ownPins = ''] = answer.split('\n')
  const answered = jsonAnswer(schema, told)
  const facts: ServerFacts = { ...answered, ...shownNames(answered), ...place }
  for (const [name, { setting, kind }] of Object.entries(jsonAnswer(pinsSchema, ownPins || '{}'))) {
    if (kind === 'server') facts.settings[name] = setting
    if (kind === 'session') facts.overridden.push(name)
  }
  return facts
}

/** Tablespaces in place (allow_in_place_tablespaces) lie inside the data directory and cannot be mapped. */
export function isOutside({ location }: Pick<TablespaceFacts, 'location'>): boolean {
  return !location.startsWith('pg_tblspc/')
}

/** pg_default (pg_tablespace.dat). */
export const defaultTablespace = 1663

/** The remains of a DROP DATABASE that did not end (DATCONNLIMIT_INVALID_DB in pg_database.h). */
export function isInvalid({ connection_limit }: Pick<DatabaseFacts, 'connection_limit'>): boolean {
  return connection_limit === -2
}

export function majorVersion(facts: ServerFacts): number {
  return Math.floor(facts.version_num / 10_000)
}

/** Lists travel as texts with commas. */
const values = {
  query_settings: querySettings.join(),
  minimums: recoveryMinimums.join(),
  of_server: 'configuration file,command line,environment variable,override',
  of_session: 'database,user,database user',
}

/**
 * Columns that came with later majors (datlocprovider, datcollversion: 15; datlocale: 17) are read through to_jsonb, where
 * an absent one is null. pg_settings hides what a role may not see instead of refusing. A setting that only this session,
 * role or database has is not the server's, so `settings` leaves it out; what pgbk itself sets for its sessions has to be asked
 * for after RESET, in a transaction whose isolation is chosen already: a standby refuses to be serializable. Texts become numbers
 * by functions: a cast (CREATE CAST), which no search_path keeps away, can be somebody's own.
 */
const factsQuery = sql`
SELECT pg_catalog.jsonb_build_object(
  'version_num', pg_catalog.pg_size_bytes(pg_catalog.current_setting('server_version_num')),
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'version_string', pg_catalog.version(),
  'libc_version', (SELECT pg_catalog.max(collversion) FROM pg_catalog.pg_collation WHERE collprovider = 'c'),
  'icu_version', (SELECT pg_catalog.max(collversion) FROM pg_catalog.pg_collation WHERE collprovider = 'i'),
  'system_identifier', (SELECT pg_catalog.concat(system_identifier) FROM pg_catalog.pg_control_system()),
  'encoding', pg_catalog.current_setting('server_encoding'),
  'cluster_name', pg_catalog.current_setting('cluster_name'),
  'client_address', pg_catalog.host(pg_catalog.inet_client_addr()),
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'role', session_user,
  'role_is_superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user),
  'role_can_replicate', (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user),
  'superuser', (SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper ORDER BY rolcanlogin DESC, oid LIMIT 1),
  'wal_level', pg_catalog.current_setting('wal_level'),
  'max_wal_senders', pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_senders')),
  'wal_senders', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),
  'max_replication_slots', pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_replication_slots')),
  'replication_slots', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
  'wal_segment_size', pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
  'data_checksums', pg_catalog.current_setting('data_checksums') = 'on',
  'data_directory', (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'),
  'config_files', (SELECT coalesce(pg_catalog.json_agg(setting), '[]') FROM pg_catalog.pg_settings
    WHERE name IN ('config_file', 'hba_file', 'ident_file')),
  'preload_libraries', (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries'),
  'managed_by', (SELECT CASE rolname WHEN 'rds_superuser' THEN 'Amazon RDS' WHEN 'cloudsqlsuperuser' THEN 'Google Cloud SQL'
      ELSE 'Azure Database for PostgreSQL' END
    FROM pg_catalog.pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin') LIMIT 1),
  'tablespaces', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', oid::bigint, 'name', spcname, 'raw_location', pg_catalog.pg_tablespace_location(oid)) ORDER BY oid), '[]')
    FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
  'databases', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', oid::bigint,
      'raw_name', datname,
      'tablespace', dattablespace::bigint,
      'connection_limit', datconnlimit,
      'allows_connections', datallowconn,
      'can_connect', datallowconn AND datconnlimit <> -2 AND pg_catalog.has_database_privilege(oid, 'CONNECT'),
      'size_bytes', CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') THEN pg_catalog.pg_database_size(oid) END,
      'encoding', pg_catalog.pg_encoding_to_char(encoding),
      'locale_provider', CASE coalesce(pg_catalog.to_jsonb(d)->>'datlocprovider', 'c')
        WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END,
      'locale', coalesce(pg_catalog.to_jsonb(d)->>'datlocale', pg_catalog.to_jsonb(d)->>'daticulocale', datcollate),
      'ctype', datctype,
      'collation_version', pg_catalog.to_jsonb(d)->>'datcollversion') ORDER BY datname)
    FROM pg_catalog.pg_database d),
  'settings', (SELECT pg_catalog.json_object_agg(name, setting) FROM pg_catalog.pg_settings
    WHERE name = ANY (pg_catalog.string_to_array(:'query_settings', ',')) AND source = ANY (pg_catalog.string_to_array(:'of_server', ','))
      OR name = ANY (pg_catalog.string_to_array(:'minimums', ','))),
  'overridden', (SELECT coalesce(pg_catalog.json_agg(name), '[]') FROM pg_catalog.pg_settings
    WHERE name = ANY (pg_catalog.string_to_array(:'query_settings', ','))
      AND source = ANY (pg_catalog.string_to_array(:'of_session', ','))),
  'configured', (SELECT coalesce(pg_catalog.json_object_agg(name, setting), '{}') FROM pg_catalog.pg_settings
    WHERE source = 'configuration file')
);
BEGIN ISOLATION LEVEL READ COMMITTED;
RESET default_transaction_isolation;
RESET search_path;
SELECT pg_catalog.jsonb_object_agg(name, pg_catalog.jsonb_build_object('setting', setting, 'kind', CASE
    WHEN source OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array(:'of_server', ',')) THEN 'server'
    WHEN source OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array(:'of_session', ',')) THEN 'session' END))
  FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) ANY ('{search_path,default_transaction_isolation}');
COMMIT;
`
