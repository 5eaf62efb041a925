/** What a setting can do to more than the server's own data. */
type Danger =
  /** Its value is run by a shell. */
  | 'runs'
  /** Code is loaded from where it says. */
  | 'loads'
  /** The server connects to other machines, or announces itself to them. */
  | 'reaches'
  /** Others can connect, or are let in. */
  | 'admits'
  /** Files are written, or removed, where it says. */
  | 'writes'
  /** Files are read where it says. */
  | 'reads'
  /** Commits wait for other servers. */
  | 'waits'

interface DangerousSetting {
  name: string
  danger: Danger
  /** The value with which it does nothing of the kind; undefined where PostgreSQL has none, or pgbk always says its own. */
  off: string | undefined
  /** The major versions that know it; a server does not start with a setting that it does not know. */
  since?: number
  until?: number
  /** Not every build, or every minor version, of these majors knows it. */
  isRare?: true
}

/**
 * Every setting of PostgreSQL 13 to 18 that runs, loads, includes, writes elsewhere, listens or connects (the names in pg_settings
 * and the tables of src/backend/utils/misc/guc*.c). A test fails for one of an installed server that may be such and is not named here.
 */
export const dangerousSettings: readonly DangerousSetting[] = [
  { name: 'archive_mode', danger: 'runs', off: 'off' },
  { name: 'archive_command', danger: 'runs', off: '' },
  { name: 'restore_command', danger: 'runs', off: '' },
  { name: 'archive_cleanup_command', danger: 'runs', off: '' },
  { name: 'recovery_end_command', danger: 'runs', off: '' },
  { name: 'ssl_passphrase_command', danger: 'runs', off: '' },
  { name: 'ssl_passphrase_command_supports_reload', danger: 'runs', off: 'off' },

  { name: 'shared_preload_libraries', danger: 'loads', off: '' },
  { name: 'session_preload_libraries', danger: 'loads', off: '' },
  { name: 'local_preload_libraries', danger: 'loads', off: '' },
  { name: 'archive_library', danger: 'loads', off: '', since: 15 },
  { name: 'jit_provider', danger: 'loads', off: 'llvmjit' },
  { name: 'dynamic_library_path', danger: 'loads', off: '$libdir' },
  { name: 'extension_control_path', danger: 'loads', off: '$system', since: 18 },
  { name: 'extension_destdir', danger: 'loads', off: '', isRare: true },
  { name: 'output_plugin_libraries', danger: 'loads', off: '', isRare: true },
  { name: 'oauth_validator_libraries', danger: 'loads', off: '', since: 18 },

  { name: 'primary_conninfo', danger: 'reaches', off: '' },
  { name: 'primary_slot_name', danger: 'reaches', off: '' },
  { name: 'wal_receiver_create_temp_slot', danger: 'reaches', off: 'off' },
  { name: 'sync_replication_slots', danger: 'reaches', off: 'off', since: 17 },
  { name: 'max_logical_replication_workers', danger: 'reaches', off: '0' },
  { name: 'bonjour', danger: 'reaches', off: 'off' },
  { name: 'bonjour_name', danger: 'reaches', off: '' },

  { name: 'listen_addresses', danger: 'admits', off: undefined },
  { name: 'unix_socket_directories', danger: 'admits', off: undefined },
  { name: 'unix_socket_permissions', danger: 'admits', off: '0700' },
  { name: 'unix_socket_group', danger: 'admits', off: '' },
  { name: 'hba_file', danger: 'admits', off: undefined },
  { name: 'ident_file', danger: 'admits', off: undefined },
  { name: 'db_user_namespace', danger: 'admits', off: 'off', until: 16 },
  { name: 'ssl', danger: 'admits', off: 'off' },

  { name: 'logging_collector', danger: 'writes', off: 'off' },
  { name: 'log_destination', danger: 'writes', off: 'stderr' },
  { name: 'log_directory', danger: 'writes', off: 'log' },
  { name: 'log_filename', danger: 'writes', off: 'postgresql-%Y-%m-%d_%H%M%S.log' },
  { name: 'log_file_mode', danger: 'writes', off: '0600' },
  { name: 'external_pid_file', danger: 'writes', off: undefined },
  { name: 'stats_temp_directory', danger: 'writes', off: 'pg_stat_tmp', until: 14 },
  { name: 'promote_trigger_file', danger: 'writes', off: '', until: 15 },
  { name: 'summarize_wal', danger: 'writes', off: 'off', since: 17 },
  { name: 'jit_dump_bitcode', danger: 'writes', off: 'off' },
  { name: 'jit_profiling_support', danger: 'writes', off: 'off' },
  { name: 'jit_debugging_support', danger: 'writes', off: 'off' },

  { name: 'config_file', danger: 'reads', off: undefined },
  { name: 'data_directory', danger: 'reads', off: undefined },
  { name: 'krb_server_keyfile', danger: 'reads', off: '' },
  { name: 'ssl_ca_file', danger: 'reads', off: '' },
  { name: 'ssl_cert_file', danger: 'reads', off: 'server.crt' },
  { name: 'ssl_key_file', danger: 'reads', off: 'server.key' },
  { name: 'ssl_crl_file', danger: 'reads', off: '' },
  { name: 'ssl_crl_dir', danger: 'reads', off: '', since: 14 },
  { name: 'ssl_dh_params_file', danger: 'reads', off: '' },

  { name: 'synchronous_standby_names', danger: 'waits', off: '' },
  { name: 'synchronized_standby_slots', danger: 'waits', off: '', since: 17 },
]

/** Those that servers of a major version know, in every build. */
export function dangerousSettingsOf(major: number): DangerousSetting[] {
  return dangerousSettings.filter(
    ({ since = 0, until = Number.POSITIVE_INFINITY, isRare }) => !isRare && major >= since && major <= until,
  )
}

/** The values, by name, with which a server of a major version runs, loads, reaches and writes nothing but its own. */
export function allSwitchedOff(major: number): Record<string, string> {
  return Object.fromEntries(
    dangerousSettingsOf(major).flatMap(({ name, off }) => (off === undefined ? [] : [[name, off]])),
  )
}
