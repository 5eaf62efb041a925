/**
 * Settings of pgbk's own sessions. What stands in the startup packet beats all that ALTER ROLE, ALTER DATABASE and ALTER ROLE ALL
 * have SET (GucSource in src/include/utils/guc.h: PGC_S_CLIENT comes after PGC_S_DATABASE_USER), and counts before a library is
 * preloaded and a login trigger fires (InitPostgres in postinit.c, PostgresMain in postgres.c). All of these were tried with 13,
 * 15, 17 and 18.
 */
type Pins = Readonly<Record<string, string>>

/** Any role may give them, and no major knows them not; what the server's own settings are stays visible. */
const byAnyRole: Pins = {
  local_preload_libraries: '',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  exit_on_error: 'off',
}

/** What our SQL means, and whether its answers are true. Temporary objects come last: unnamed, they would come first. */
const byOwner: Pins = {
  ...byAnyRole,
  role: 'none',
  search_path: 'pg_catalog,pg_temp',
  session_preload_libraries: '',
  default_transaction_isolation: 'read committed',
  session_replication_role: 'origin',
  allow_system_table_mods: 'off',
  dynamic_library_path: '$libdir',
  row_security: 'on',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  quote_all_identifiers: 'off',
  array_nulls: 'on',
  DateStyle: 'ISO,MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  lc_messages: 'C',
  client_min_messages: 'notice',
  check_function_bodies: 'on',
  default_tablespace: '',
  temp_tablespaces: '',
  temp_file_limit: '-1',
  default_table_access_method: 'heap',
  password_encryption: 'scram-sha-256',
  // A fault of a page that is passed over would be a proof of nothing.
  zero_damaged_pages: 'off',
  ignore_checksum_failure: 'off',
  // A password must not stand in the server's log.
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_error_statement: 'panic',
  jit: 'off',
}

/** Nobody else is at work in a copy: what holds a lock for longer is a prepared transaction, and will hold it for ever. */
export const lockTimeoutMs = 5000

/** The options of a session with a server that pgbk has started itself, as its superuser. */
export function copyOptions(major: number): string {
  return optionsText({
    ...byOwner,
    lock_timeout: String(lockTimeoutMs),
    ...(major >= 14 ? { idle_session_timeout: '0' } : {}),
    ...(major >= 17
      ? { event_triggers: 'off', transaction_timeout: '0', restrict_nonsystem_relation_kind: '' }
      : {}),
  })
}

/** Those of the user's own SQL: the database's and the role's settings count, but it is the superuser's and can write to the copy. */
export const usersOptions = optionsText({ role: 'none', default_transaction_read_only: 'off' })

/**
 * Those of a session with a server of somebody else's, whose role need not be a superuser.
 * @param own what the connection says by itself, which may choose a role; settings that ours and that name are ours.
 */
export function serverOptions(own = ''): string {
  return [optionsText({ role: 'none' }), own, optionsText(byAnyRole)].filter(Boolean).join(' ')
}

/**
 * Those of pg_basebackup's connections, which must hear what the server leaves out, whatever its configuration wants clients to hear.
 * @param own what the connection says by itself.
 */
export function baseBackupOptions(own = ''): string {
  return [own, optionsText({ client_min_messages: 'warning' })].filter(Boolean).join(' ')
}

/**
 * Those of a replication connection that waits for long without a command (ProcessInterrupts in postgres.c ends idle WAL senders too), and
 * ends some minutes after its client has vanished without a word: wal_sender_timeout counts for one that streams alone.
 * @param own what the connection says by itself.
 */
export function replicationOptions(major: number, own = ''): string {
  return [own, optionsText({ ...keepAlive, ...(major >= 14 && { idle_session_timeout: '0' }) })]
    .filter(Boolean)
    .join(' ')
}

/** In seconds, and how many times. Over a local socket they say nothing. */
const keepAlive = {
  tcp_keepalives_idle: '60',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '6',
}

/** As pg_split_opts() takes it apart: a backslash before what would end a word (src/backend/utils/init/postinit.c). */
function optionsText(pins: Pins): string {
  return Object.entries(pins)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
    .join(' ')
}
