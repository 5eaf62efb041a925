import { identifier } from '../sql/identifier.js'
import { type ConnectionFault, connectionUser } from './connection-fault.js'

const others =
  'wait for some to end (SELECT pid, usename, state FROM pg_stat_activity), or, as a superuser, then restart the server:\n  ALTER SYSTEM SET max_connections = ...;'

/**
 * The server is there, and cannot take this connection now (src/backend/tcop/backend_startup.c, before 18
 * src/backend/postmaster/postmaster.c; src/backend/utils/init/postinit.c).
 */
export const stateFaults: ConnectionFault[] = [
  {
    says: /slots are reserved for roles with privileges of the "([^"]*)" role/,
    hint: ([, reserved = ''], attempt) =>
      `Those that are left are reserved (reserved_connections). As a superuser:  GRANT ${identifier(reserved)} TO ${identifier(connectionUser(attempt))};\nOr ${others}`,
    passes: true,
  },
  {
    says: /remaining connection slots are reserved/,
    hint: () =>
      `All its connections are taken but those for superusers (superuser_reserved_connections): choose such a role with -U, ${others}`,
    passes: true,
  },
  {
    says: /too many clients already|no more connections allowed/,
    hint: () => `The server is running, but all its connections are taken: ${others}`,
    passes: true,
  },
  {
    says: /too many connections for role "([^"]*)"/,
    hint: ([, role = '']) =>
      `It has as many connections as it may have. End some, or, as a superuser:  ALTER ROLE ${identifier(role)} CONNECTION LIMIT -1;`,
    passes: true,
  },
  {
    says: /too many connections for database "([^"]*)"/,
    hint: ([, database = '']) =>
      `Choose another database with -d, or, as a superuser:  ALTER DATABASE ${identifier(database)} CONNECTION LIMIT -1;`,
    passes: true,
  },
  {
    says: /exceeds max_wal_senders \(currently (\d+)\)/,
    hint: ([, most = '']) =>
      `All WAL senders are taken (SELECT * FROM pg_stat_replication). End one, or, as a superuser, then restart the server:\n  ALTER SYSTEM SET max_wal_senders = ${Number(most) + 5};`,
    passes: true,
  },
  {
    says: /Hot standby mode is disabled/,
    hint: () =>
      'It is a standby that accepts no connections. Set hot_standby = on in its postgresql.conf and restart it, or back up its primary.',
  },
  {
    says: /database system is starting up|not yet accepting connections|Consistent recovery state has not been yet reached/,
    hint: () =>
      'The server is running, but not ready yet: wait for it; its log tells how far it is. If it is a standby and this lasts, hot_standby may be off there, or it waits for WAL.',
    passes: true,
  },
  {
    says: /database system is in recovery mode/,
    hint: () =>
      'The server recovers, because one of its processes has crashed: wait for it; its log tells why and how far it is.',
    passes: true,
  },
  {
    says: /database system is shutting down|terminating connection due to administrator command/,
    hint: () => 'The server is being stopped, or restarted: try again when it is up.',
    passes: true,
  },
  {
    says: /database "([^"]*)" is not currently accepting connections|cannot connect to invalid database "([^"]*)"/,
    hint: () => 'The server is running, but lets nobody into that database. Choose another with -d.',
  },
  {
    says: /session is (?:not )?read-only|server is (?:not )?in hot standby mode|could not make a writable connection/,
    hint: () =>
      'The server is running, but is not what target_session_attrs asks for. Name a host that is, or change target_session_attrs.',
    passes: true,
  },
]
