import type { ServerFacts } from '../../../src/postgres/server/server-facts.js'

/** A server that can be backed up. */
export function someFacts(changes: Partial<ServerFacts> = {}): ServerFacts {
  return {
    version_num: 150018,
    version: '15.18',
    version_string: 'PostgreSQL 15.18',
    libc_version: '2.36',
    icu_version: null,
    system_identifier: '7574880158414284817',
    cluster_name: 'shop',
    host: 'db1',
    port: 5432,
    client_address: '10.0.0.7',
    in_recovery: false,
    role: 'backup',
    role_is_superuser: false,
    role_can_replicate: true,
    superuser: 'focker',
    wal_level: 'replica',
    max_wal_senders: 10,
    wal_senders: 0,
    max_replication_slots: 10,
    replication_slots: 0,
    wal_segment_size: 16 * 1024 * 1024,
    data_checksums: true,
    data_directory: '/var/lib/postgresql/15/main',
    config_files: [],
    preload_libraries: '',
    managed_by: null,
    tablespaces: [],
    databases: [],
    settings: {},
    overridden: [],
    configured: {},
    ...changes,
  }
}
