import { describe, expect, it } from '@jest/globals'
import { connectionHint, isLasting } from '../../../src/postgres/connection/connection-hint.js'

const attempt = { parameters: { user: 'backup' }, env: {} }
const fatal = (text: string) => `connection to server at "db1" (10.0.0.1), port 5432 failed: FATAL:  ${text}`

/** What a server says, what the hint has, and whether it stays so. */
const messages: [string, RegExp, boolean][] = [
  [fatal('sorry, too many clients already'), /all its connections are taken.*max_connections/s, false],
  [
    fatal('remaining connection slots are reserved for non-replication superuser connections'),
    /superuser_reserved_connections.* -U/s,
    false,
  ],
  [
    fatal('remaining connection slots are reserved for roles with the SUPERUSER attribute'),
    /superuser_reserved_connections/,
    false,
  ],
  [
    fatal(
      'remaining connection slots are reserved for roles with privileges of the "pg_use_reserved_connections" role',
    ),
    /GRANT pg_use_reserved_connections TO backup;/,
    false,
  ],
  [fatal('too many connections for role "backup"'), /ALTER ROLE backup CONNECTION LIMIT -1;/, false],
  [fatal('too many connections for database "app"'), /ALTER DATABASE app CONNECTION LIMIT -1;/, false],
  [
    fatal('number of requested standby connections exceeds max_wal_senders (currently 2)'),
    /max_wal_senders = 7;/,
    false,
  ],
  [
    fatal('the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.'),
    /hot_standby = on/,
    true,
  ],
  [
    fatal(
      'the database system is not yet accepting connections\nDETAIL:  Consistent recovery state has not been yet reached.',
    ),
    /not ready yet/,
    false,
  ],
  [fatal('the database system is starting up'), /not ready yet.*hot_standby/s, false],
  [fatal('the database system is in recovery mode'), /has crashed/, false],
  [fatal('the database system is shutting down'), /being stopped/, false],
  [fatal('database "app" is not currently accepting connections'), /another with -d/, true],
  [fatal('cannot connect to invalid database "half"'), /another with -d/, true],
  [fatal('role "backup" is not permitted to log in'), /ALTER ROLE backup LOGIN;/, true],
  [fatal('must be superuser or replication role to start walsender'), /ALTER ROLE backup REPLICATION;/, true],
  [fatal('LDAP authentication failed for user "backup"'), /pg_hba\.conf tell/, true],
  [
    'connection to server at "db1" (10.0.0.1), port 5432 failed: session is read-only',
    /target_session_attrs/,
    false,
  ],
  [
    'connection to server at "db1", port 5432 failed: server does not support SSL, but SSL was required',
    /sslmode/,
    true,
  ],
  [
    'could not translate host name "db9" to address: Name or service not known',
    /known on this machine/,
    true,
  ],
  ['invalid connection option "load_balance_hosts"', /./, true],
]

describe('a connection that fails', () => {
  it.each(messages)('with %j has a hint of its own', (message, hint, lasts) => {
    expect(connectionHint(message, attempt)).toMatch(hint)
    expect(isLasting(message)).toBe(lasts)
  })

  it.each(messages.slice(0, -1))('with %j leaves no doubt that there is a server', (message) => {
    expect(connectionHint(message, attempt)).not.toContain('Is the server running')
    expect(connectionHint(message, attempt)).not.toContain('pg_reload_conf')
  })

  it('because nobody is there is asked about just that, and waited for', () => {
    const message = 'connection to server at "db1" (10.0.0.1), port 5432 failed: Connection refused'
    expect(connectionHint(message, attempt)).toContain('Is the server running there?')
    expect(isLasting(message)).toBe(false)
  })

  it('by pg_hba.conf is told the line', () => {
    const entry = 'no pg_hba.conf entry for replication connection from host "10.0.0.7", user "backup"'
    expect(connectionHint(fatal(entry), attempt)).toMatch(/host +replication +backup +10\.0\.0\.7\/32/)
  })
})
