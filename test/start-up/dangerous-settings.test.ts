import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  allSwitchedOff,
  dangerousSettings,
  dangerousSettingsOf,
} from '../../src/start-up/dangerous-settings.js'
import { majors, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'

/** What a setting may do, by its name. */
const suspect =
  /command|librar|_file|_dir|director|path|conninfo|listen|socket|preload|include|provider|plugin|hook|log_dest|collector|bonjour|key|ssl|krb|gss|oauth|^ident|hba|archive|primary|slot|sync_rep|standby|syslog|event|jit|unix|pid|summar|replication|destdir|valid|port|namespace|allow_/

/** Looked at, and found to do nothing of the kind: they say how much, how long, which form, or which of the cluster's own. */
const harmless =
  `allow_alter_system allow_in_place_tablespaces allow_system_table_mods archive_timeout autovacuum_worker_slots
  application_name backtrace_functions client_encoding cluster_name config_file createrole_self_grant DateStyle debug_io_direct
  debug_logical_replication_streaming default_table_access_method default_tablespace default_text_search_config event_source event_triggers
  file_copy_method file_extend_method gss_accept_delegation hot_standby hot_standby_feedback icu_validation_level
  idle_replication_slot_timeout ignore_invalid_pages in_hot_standby jit jit_above_cost jit_expressions jit_inline_above_cost
  jit_optimize_above_cost jit_tuple_deforming krb_caseins_users lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time
  log_connections log_line_prefix log_replication_commands log_standby_delay logical_decoding_work_mem log_temp_files max_active_replication_origins
  max_files_per_process max_identifier_length max_replication_slots max_slot_wal_keep_size max_standby_archive_delay
  max_standby_streaming_delay multixact_offset_buffers parallel_setup_cost quote_all_identifiers remove_temp_files_after_crash vacuum_cost_page_dirty port recovery_target recovery_target_lsn recovery_target_name
  recovery_target_time recovery_target_timeline recovery_target_xid reserved_connections restrict_nonsystem_relation_kind search_path
  server_encoding server_version session_replication_role ssl_ciphers ssl_ecdh_curve ssl_groups ssl_library ssl_max_protocol_version
  ssl_min_protocol_version ssl_prefer_server_ciphers ssl_tls13_ciphers syslog_facility syslog_ident syslog_sequence_numbers
  syslog_split_messages temp_file_limit temp_tablespaces timezone_abbreviations TimeZone log_timezone wal_consistency_checking
  wal_summary_keep_time superuser_reserved_connections`.split(/\s+/)

const classified = new Set([...dangerousSettings.map(({ name }) => name), ...harmless])

describe.each(majors)('the settings of PostgreSQL %i', (major) => {
  it('are all classified, and the dangerous ones can be switched off', async () => {
    const server = await aServer({ major })
    const rows = await server.sql("select name, vartype, context from pg_settings where name not like '%.%'")
    const all = rows.split('\n').map((row) => row.split('|') as [string, string, string])
    expect(all.length).toBeGreaterThan(300)
    const unknown = all.filter(
      ([name, type, context]) =>
        context !== 'internal' && (type === 'string' || suspect.test(name)) && !classified.has(name),
    )
    expect(unknown.map(([name]) => name)).toEqual([])
    const names = new Set(all.map(([name]) => name))
    expect(dangerousSettingsOf(major).filter(({ name }) => !names.has(name))).toEqual([])

    const flags = Object.entries(allSwitchedOff(major)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    await server.stop()
    await run([join(server.bin, 'postgres'), '-C', 'port', '-D', server.data, ...flags])
  })
})

it('each is named once', () => {
  expect(new Set(dangerousSettings.map(({ name }) => name)).size).toBe(dangerousSettings.length)
})
