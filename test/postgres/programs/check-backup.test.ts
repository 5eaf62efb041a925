import { describe, expect, it } from '@jest/globals'
import { parseControlSettings } from '../../../src/postgres/programs/check-backup.js'
import { relativeInside } from '../../../src/system/paths/inside.js'

describe('parseControlSettings', () => {
  it('reads what pg_controldata prints, under the names of the settings', () => {
    const printed = `pg_control version number:            1300
Database cluster state:               in production
wal_level setting:                    replica
wal_log_hints setting:                off
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           3
max_locks_per_xact setting:           64
track_commit_timestamp setting:       off
Maximum data alignment:               8
`
    expect(parseControlSettings(printed)).toEqual({
      max_connections: 100,
      max_worker_processes: 8,
      max_wal_senders: 10,
      max_prepared_transactions: 3,
      max_locks_per_transaction: 64,
      track_commit_timestamp: 0,
    })
  })

  it('finds nothing in nothing', () => expect(parseControlSettings('')).toEqual({}))
})

describe('relativeInside', () => {
  it.each([
    ['/etc/pg', '/etc/pg/conf.d/a.conf', 'conf.d/a.conf'],
    ['/etc/pg', '/etc/pg2/a.conf', undefined],
    ['/etc/pg', '/etc/a.conf', undefined],
    ['/etc/pg', '/etc/pg', undefined],
  ])('in %s finds %s as %s', (directory, path, inside) =>
    expect(relativeInside(directory, path)).toBe(inside),
  )
})
