import { describe, expect, it } from '@jest/globals'
import { checkHost, obstaclesIn } from '../../../src/postgres/server/preflight.js'
import type { ServerFacts } from '../../../src/postgres/server/server-facts.js'
import { thrownBy } from '../../catalog/samples.js'
import { someFacts } from './samples.js'

const space = (location: string) => [{ oid: 16385, name: 'fast', location, raw_location: location }]

describe('the obstacles', () => {
  it.each<Partial<ServerFacts>>([
    {},
    { max_wal_senders: 2 },
    { wal_level: 'logical' },
    { version_num: 130000 },
    { tablespaces: space('/mnt/fast') },
    { tablespaces: space('pg_tblspc/16385') },
  ])('are none with %j', (facts) => expect(obstaclesIn(someFacts(facts))).toEqual([]))

  it.each<[Partial<ServerFacts>, RegExp, RegExp]>([
    [{ role_can_replicate: false }, /role backup has no REPLICATION/, /ALTER ROLE backup REPLICATION;/],
    [{ role_can_replicate: false, role: 'a "b"' }, /REPLICATION/, /ALTER ROLE "a ""b""" REPLICATION;/],
    [
      { wal_level: 'minimal' },
      /wal_level is minimal/,
      /restart.*\n {2}ALTER SYSTEM SET wal_level = replica;\n {2}ALTER SYSTEM SET max_wal_senders = 10;$/,
    ],
    [{ max_wal_senders: 1 }, /two free WAL senders, but the server has 1/, /max_wal_senders = 5/],
    [{ wal_senders: 9 }, /the server has 1 \(max_wal_senders = 10, 9 in use\)/, /max_wal_senders = 14/],
    [{ replication_slots: 10 }, /no replication slot is free/, /max_replication_slots = 15/],
    [{ version_num: 120022, version: '12.22' }, /PostgreSQL 12\.22.*13 and newer/, /Upgrade/],
    [{ managed_by: 'Amazon RDS', role_can_replicate: false }, /Amazon RDS offers no base backups/, /pg_dump/],
    [{ tablespaces: space('../../tablespaces/16385') }, /fast \(\.\..*relative location/, /pgbk restore/],
  ])('with %j are named, with their remedy', (facts, message, hint) => {
    const found = obstaclesIn(someFacts(facts))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ code: 'refused', message: expect.stringMatching(message) })
    expect(found[0]?.hint).toMatch(hint)
  })

  it('are all named at once', () => {
    const facts = someFacts({ role_can_replicate: false, wal_level: 'minimal', replication_slots: 10 })
    expect(obstaclesIn(facts)).toHaveLength(3)
  })
})

describe('a host', () => {
  it.each([
    ['db.abc.eu-central-1.rds.amazonaws.com', 'Amazon RDS'],
    ['db.abc.rds.cn-north-1.amazonaws.com.cn', 'Amazon RDS'],
    ['shop.postgres.database.azure.com', 'Azure'],
    ['/cloudsql/project:region:instance', 'Google Cloud SQL'],
    ['ep-x.eu-central-1.aws.neon.tech', 'this service'],
  ])('%s belongs to a service without base backups', async (host, service) => {
    const error = await thrownBy(() => checkHost(host))
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining(service) })
  })

  it.each([undefined, 'db1', '/tmp', 'rds.amazonaws.com.example.org', 'ec2-1-2-3-4.compute.amazonaws.com'])(
    '%s may be tried',
    (host) => expect(() => checkHost(host)).not.toThrow(),
  )
})
