import { describe, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import type { InstanceRecord } from '../../../src/restore/instance/instance.js'
import { instanceReadme } from '../../../src/restore/instance/instance-readme.js'

const record = {
  ...{ name: 'staging', major: 17, role: 'focker', database: 'app' },
  created_at: '2026-11-20T04:00:00.000Z',
} as InstanceRecord

const readmeIn = (directory: string) =>
  instanceReadme({
    ...{ record, directory, root: '/srv/pg', port: 5433, postgres: '/usr/lib/postgresql/17/bin/postgres' },
    backup: { id: '20261120T030000Z' } as LocalBackup,
  })

describe('the README of an instance', () => {
  it('leads to the socket in its own directory', () => {
    const text = readmeIn('/srv/pg/data/instance/staging')
    expect(text).toContain('psql -h /srv/pg/data/instance/staging/run -p 5433')
    expect(text).toMatch(/over the socket in run\/\nthe owner of these files needs none\.\n$/)
    expect(text).toMatch(/run\/ +its socket, for the owner of these files alone\n/)
    expect(text).not.toContain('/tmp')
  })

  it('leads to the one in /tmp where its path is too long for a socket', () => {
    const text = readmeIn(`/srv/${'long'.repeat(25)}/staging`)
    expect(text).toContain('psql -h /tmp -p 5433')
    expect(text).toMatch(/over the socket in \/tmp\nthe owner of these files needs none\.\n$/)
    expect(text).toMatch(/run\/ +empty: .*\n +instead, for the owner of these files alone\n/)
    expect(text).not.toContain('socket in run/')
  })
})
