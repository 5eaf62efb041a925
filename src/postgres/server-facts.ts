import { querySettings, recoveryMinimums } from '../backup/conf.js'
import { PgbkError } from '../errors.js'
import { type Psql, query } from './psql.js'

export interface TablespaceFacts {
  oid: number
  name: string
  /** As pg_tablespace_location() says it: absolute; relative in a copy; `pg_tblspc/<oid>` when it is in place. */
  location: string
}

export interface DatabaseFacts {
  name: string
  allows_connections: boolean
  can_connect: boolean
  /** Bytes; null where the role may not ask. */
  size_bytes: number | null
  encoding: string
  locale_provider: string
  locale: string
  ctype: string
  collation_version: string | null
}

/** What the server says about itself. Null means that this role may not know it. */
export interface ServerFacts {
  version_num: number
  version: string
  version_string: string
  libc_version: string | null
  icu_version: string | null
  system_identifier: string
  cluster_name: string
  host: string
  port: number
  client_address: string | null
  in_recovery: boolean
  role: string
  role_is_superuser: boolean
  role_can_replicate: boolean
  superuser: string
  wal_level: string
  max_wal_senders: number
  wal_senders: number
  max_replication_slots: number
  replication_slots: number
  wal_segment_size: number
  data_checksums: boolean
  data_directory: string | null
  config_files: string[]
  preload_libraries: string | null
  /** A managed service whose superuser role gives it away. */
  managed_by: string | null
  tablespaces: TablespaceFacts[]
  databases: DatabaseFacts[]
  /** The server's `recoveryMinimums`, and those `querySettings` that it has set. */
  settings: Record<string, string>
  /** Those `querySettings` that the role or the database of this connection sets otherwise, so that they could not be seen. */
  overridden: string[]
  /** All that its configuration files set, as far as the role may see it. */
  configured: Record<string, string>
}

/** @throws {PgbkError} `unreachable` or `refused`. */
export async function readServerFacts(psql: Psql): Promise<ServerFacts> {
  const answer = await query(psql, factsQuery)
  try {
    const [facts = '', searchPath = ''] = answer.split('\n')
    const parsed = JSON.parse(facts) as ServerFacts
    const { setting, kind } = JSON.parse(searchPath || '{}')
    if (kind === 'server') parsed.settings.search_path = setting
    if (kind === 'session') parsed.overridden.push('search_path')
    return parsed
  } catch (cause) {
    throw new PgbkError('failed', `the server's answer is not understood: ${answer.slice(0, 200)}`, {
      cause,
      hint: 'Connect to PostgreSQL itself, not to a pooler or a proxy.',
    })
  }
}

/** Tablespaces in place (allow_in_place_tablespaces) lie inside the data directory and cannot be mapped. */
export function isOutside({ location }: Pick<TablespaceFacts, 'location'>): boolean {
  return !location.startsWith('pg_tblspc/')
}

export function majorVersion(facts: ServerFacts): number {
  return Math.floor(facts.version_num / 10_000)
}

const ofTheServer = `ARRAY['configuration file', 'command line', 'environment variable', 'override']`
const ofTheSession = `ARRAY['database', 'user', 'database user']`
const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ')
const querySettingNames = quoted(querySettings)
const minimums = quoted(recoveryMinimums)

/**
 * Columns that came with later majors (datlocprovider, datcollversion: 15; datlocale: 17) are read through to_jsonb, where
 * an absent one is null. pg_settings hides what a role may not see instead of refusing. A setting that only this session,
 * role or database has is not the server's, so `settings` leaves it out; search_path has to be asked for after RESET.
 */
const factsQuery = `
SELECT jsonb_build_object(
  'version_num', current_setting('server_version_num')::int,
  'version', split_part(current_setting('server_version'), ' ', 1),
  'version_string', version(),
  'libc_version', (SELECT max(collversion) FROM pg_collation WHERE collprovider = 'c'),
  'icu_version', (SELECT max(collversion) FROM pg_collation WHERE collprovider = 'i'),
  'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
  'cluster_name', current_setting('cluster_name'),
  'host', :'HOST',
  'port', :'PORT'::int,
  'client_address', host(inet_client_addr()),
  'in_recovery', pg_is_in_recovery(),
  'role', session_user,
  'role_is_superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = session_user),
  'role_can_replicate', (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = session_user),
  'superuser', (SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY rolcanlogin DESC, oid LIMIT 1),
  'wal_level', current_setting('wal_level'),
  'max_wal_senders', current_setting('max_wal_senders')::int,
  'wal_senders', (SELECT count(*) FROM pg_stat_replication),
  'max_replication_slots', current_setting('max_replication_slots')::int,
  'replication_slots', (SELECT count(*) FROM pg_replication_slots),
  'wal_segment_size', pg_size_bytes(current_setting('wal_segment_size')),
  'data_checksums', current_setting('data_checksums')::bool,
  'data_directory', (SELECT setting FROM pg_settings WHERE name = 'data_directory'),
  'config_files', (SELECT coalesce(json_agg(setting), '[]') FROM pg_settings WHERE name IN ('config_file', 'hba_file', 'ident_file')),
  'preload_libraries', (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'),
  'managed_by', (SELECT CASE rolname WHEN 'rds_superuser' THEN 'Amazon RDS' WHEN 'cloudsqlsuperuser' THEN 'Google Cloud SQL'
      ELSE 'Azure Database for PostgreSQL' END
    FROM pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin') LIMIT 1),
  'tablespaces', (SELECT coalesce(json_agg(json_build_object(
      'oid', oid::bigint, 'name', spcname, 'location', pg_tablespace_location(oid)) ORDER BY oid), '[]')
    FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
  'databases', (SELECT json_agg(json_build_object(
      'name', datname,
      'allows_connections', datallowconn,
      'can_connect', datallowconn AND has_database_privilege(oid, 'CONNECT'),
      'size_bytes', CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END,
      'encoding', pg_encoding_to_char(encoding),
      'locale_provider', CASE coalesce(to_jsonb(d)->>'datlocprovider', 'c') WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' ELSE 'builtin' END,
      'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', datcollate),
      'ctype', datctype,
      'collation_version', to_jsonb(d)->>'datcollversion') ORDER BY datname)
    FROM pg_database d),
  'settings', (SELECT json_object_agg(name, setting) FROM pg_settings
    WHERE name IN (${querySettingNames}) AND source = ANY (${ofTheServer}) OR name IN (${minimums})),
  'overridden', (SELECT coalesce(json_agg(name), '[]') FROM pg_settings
    WHERE name IN (${querySettingNames}) AND name <> 'search_path' AND source = ANY (${ofTheSession})),
  'configured', (SELECT coalesce(json_object_agg(name, setting), '{}') FROM pg_settings WHERE source = 'configuration file')
);
RESET search_path;
SELECT pg_catalog.jsonb_build_object('setting', setting, 'kind', CASE
    WHEN source OPERATOR(pg_catalog.=) ANY (${ofTheServer}) THEN 'server'
    WHEN source OPERATOR(pg_catalog.=) ANY (${ofTheSession}) THEN 'session' END)
  FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'search_path';
`
