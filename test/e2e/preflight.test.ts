import { chmodSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { anyMajor, binOf, majors, run } from '../helpers/programs.js'
import { aPortThatHangsUp } from '../helpers/proxy.js'
import { aRoot, aServer, conninfo, fill, openSnapshot, type TestServer } from '../helpers/server.js'
import { idsIn, until } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'

let root: string
beforeEach(async () => {
  root = await aRoot()
})

interface Refusal {
  status: number | undefined
  error: { code: string; message: string; hint: string }
}

/** A create that must be refused before anything is written into the root. */
async function refusalOf(
  args: string[],
  env: Record<string, string> = {},
  place: string = root,
): Promise<Refusal> {
  const before = readdirSync(place)
  const { status, stdout } = await runPgbk(['create', '-C', place, '--json', ...args], { env })
  expect(readdirSync(place)).toEqual(before)
  return { status, error: JSON.parse(stdout).error }
}

const text = ({ error }: Refusal) => `${error.message}\n${error.hint}`

describe('create refuses, and writes nothing, when there is no server', () => {
  it('on that port', async () => {
    const port = await aFreePort()
    const refusal = await refusalOf(['-h', '127.0.0.1', '-p', String(port)])
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
    expect(refusal.error.message).toContain(`port ${port} failed: Connection refused`)
    expect(refusal.error.hint).toContain('-h HOST -p PORT')
  })

  it('at that socket', async () => {
    const refusal = await refusalOf(['-h', root, '-p', '5433'])
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
    expect(refusal.error.message).toContain(`${root}/.s.PGSQL.5433`)
  })

  it('but something that hangs up', async () => {
    const { port } = await aPortThatHangsUp()
    const refusal = await refusalOf(['-h', '127.0.0.1', '-p', String(port)])
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
  })

  it.each([
    [['-h', 'x.rds.amazonaws.com']],
    [['-d', 'host=x.abc123.eu-central-1.rds.amazonaws.com']],
    [['-d', 'postgresql://me@x.postgres.database.azure.com/app']],
    [['-h', '/cloudsql/project:region:instance']],
  ])('but a managed service: %p', async (args) => {
    const refusal = await refusalOf(args)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(text(refusal)).toContain('offers no base backups')
    expect(refusal.error.hint).toContain('pg_dump')
  })
})

const hba = `
local  all          all                    trust
local  replication  focker,plain,"Odd Name" trust
host   all          pw      127.0.0.1/32   scram-sha-256
host   all          all     127.0.0.1/32   trust
`

describe('create refuses, and writes nothing, when the server', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major: anyMajor, hba })
    await server.sql(`
      set password_encryption = 'scram-sha-256';
      create role pw login replication password 'right';
      create role plain login;
      create role "Odd Name" login;
      create role kept_out login replication;
      create role neither login;
    `)
  })
  const refusalOfRole = (role: string) => refusalOf(['-U', role], server.env)

  it('gets a wrong password', async () => {
    const env = { ...server.env, PGHOST: '127.0.0.1', PGUSER: 'pw', PGPASSWORD: 'wrong' }
    const refusal = await refusalOf([], env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
    expect(refusal.error.message).toContain('password authentication failed for user "pw"')
    expect(refusal.error.hint).toMatch(/\.pgpass .*PGPASSWORD/)
    expect(text(refusal)).not.toContain('wrong')
  })

  it('wants a password and gets none', async () => {
    const refusal = await refusalOf([], { ...server.env, PGHOST: '127.0.0.1', PGUSER: 'pw' })
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
    expect(refusal.error.hint).toContain('.pgpass')
  })

  it('does not know the role', async () => {
    const refusal = await refusalOfRole('nobody_here')
    expect(refusal).toMatchObject({ status: 5, error: { code: 'unreachable' } })
    expect(refusal.error.hint).toBe(
      'Choose the role with -U, or make it, as a superuser:  CREATE ROLE nobody_here LOGIN REPLICATION;',
    )
  })

  it.each([
    ['plain', 'ALTER ROLE plain REPLICATION;'],
    ['Odd Name', 'ALTER ROLE "Odd Name" REPLICATION;'],
  ])('gives role %s no REPLICATION right', async (role, remedy) => {
    const refusal = await refusalOfRole(role)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toBe(`role ${role} has no REPLICATION right`)
    expect(refusal.error.hint).toContain(remedy)
  })

  it('has no replication line for the role, and prints both that would do', async () => {
    const refusal = await refusalOfRole('kept_out')
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.hint).toMatch(/^ +local +replication +kept_out +scram-sha-256$/m)
    expect(refusal.error.hint).toMatch(/^ +host +replication +kept_out +127\.0\.0\.1\/32 +scram-sha-256$/m)
    expect(refusal.error.hint).toContain('SELECT pg_reload_conf();')
  })

  it('has neither the right nor the line for the role, and says both', async () => {
    const refusal = await refusalOfRole('neither')
    expect(refusal.status).toBe(5)
    expect(text(refusal)).toContain('ALTER ROLE neither REPLICATION;')
    expect(text(refusal)).toMatch(/local +replication +neither/)
  })

  it('is newer than all client programs', async () => {
    const env = { ...server.env, PGBK_BIN_DIR: clientsThatSee(990_001) }
    const refusal = await refusalOf([], env)
    expect(refusal).toMatchObject({ status: 1, error: { code: 'programs-missing' } })
    expect(refusal.error.message).toMatch(
      /the server is PostgreSQL 99, but the newest client programs here are those of \d+/,
    )
    expect(refusal.error.hint).toContain('postgresql-client-99')
  })

  it('is older than what pgbk works with', async () => {
    const env = { ...server.env, PGBK_BIN_DIR: clientsThatSee(120_020) }
    const refusal = await refusalOf([], env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('works with 13 and newer')
  })

  it('is one of a managed service by the role of its administrators', async () => {
    await server.sql('create role rds_superuser; create role customer login replication')
    const refusal = await refusalOf([], { ...server.env, PGUSER: 'customer' })
    await server.sql('drop role rds_superuser; drop role customer')
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('Amazon RDS offers no base backups')
  })

  it('would back up into itself', async () => {
    const inside = join(server.data, 'backups')
    await run(['mkdir', inside])
    const link = join(root, 'link')
    symlinkSync(inside, link)
    for (const place of [server.data, inside, link]) {
      const refusal = await refusalOf([], server.env, place)
      expect({ place, ...refusal }).toMatchObject({ place, status: 2, error: { code: 'usage' } })
      expect(refusal.error.message).toContain("inside the server's own")
    }
  })
})

describe('create refuses, and writes nothing, when the server is short of something:', () => {
  it('wal_level is minimal', async () => {
    const server = await aServer({
      major: anyMajor,
      settings: { wal_level: 'minimal', max_wal_senders: '0' },
    })
    const refusal = await refusalOf([], server.env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('wal_level is minimal')
    expect(refusal.error.hint).toContain('ALTER SYSTEM SET wal_level = replica;')
    expect(refusal.error.hint).toContain('ALTER SYSTEM SET max_wal_senders = 10;')
  })

  it('max_wal_senders is 1', async () => {
    const server = await aServer({ major: anyMajor, settings: { max_wal_senders: '1' } })
    const refusal = await refusalOf([], server.env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('the server has 1 (max_wal_senders = 1, 0 in use)')
    expect(refusal.error.hint).toContain('ALTER SYSTEM SET max_wal_senders = 5;')
  })

  it('others hold its WAL senders', async () => {
    const server = await aServer({ major: anyMajor, settings: { max_wal_senders: '2' } })
    const receiver = await aReceiverOf(server)
    const refusal = await refusalOf([], server.env)
    await receiver.end()
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('the server has 1 (max_wal_senders = 2, 1 in use)')
  })

  it('no replication slot is free', async () => {
    const server = await aServer({ major: anyMajor, settings: { max_replication_slots: '1' } })
    await server.sql("select pg_create_physical_replication_slot('old')")
    const refusal = await refusalOf([], server.env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('1 of max_replication_slots = 1 in use')
    expect(refusal.error.hint).toContain('ALTER SYSTEM SET max_replication_slots = 6;')
  })

  it('several things at once are all in one message', async () => {
    const settings = { max_wal_senders: '1', max_replication_slots: '1' }
    const server = await aServer({ major: anyMajor, settings })
    await server.sql("create role plain login; select pg_create_physical_replication_slot('old')")
    const refusal = await refusalOf(['-U', 'plain'], server.env)
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(refusal.error.message).toContain('3 reasons')
    for (const remedy of ['ALTER ROLE plain REPLICATION', 'max_wal_senders = 5', 'max_replication_slots = 6'])
      expect(refusal.error.hint).toContain(remedy)
  })
})

describe('create, where backups of another server are or this one is a copy,', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await fill(server)
  })
  const backUp = async () => {
    const { status, stdout } = await runPgbk(['create', '-C', root, '--json'], { env: server.env })
    expect(status).toBe(0)
    return JSON.parse(stdout).backup
  }

  it('refuses a second cluster in one root until it is said to be meant', async () => {
    const first = await backUp()
    const other = await aServer({ major: anyMajor })
    const identifier = await other.sql('select system_identifier from pg_control_system()')
    const refusal = await refusalOf([], other.env)
    expect(refusal).toMatchObject({ status: 2, error: { code: 'wrong-cluster' } })
    expect(refusal.error.message).toContain(identifier)
    expect(refusal.error.message).toContain(first.server.system_identifier)
    expect(refusal.error.hint).toMatch(/-C DIR.*--new-cluster/s)
    expect(idsIn(root)).toEqual([first.id])

    const meant = await runPgbk(['create', '-C', root, '--new-cluster'], { env: other.env })
    expect(meant.status).toBe(0)
    expect(await refusalOf([], server.env)).toMatchObject({ status: 2, error: { code: 'wrong-cluster' } })
  })

  it('refuses a server that runs inside a snapshot, for its tablespaces have relative places', async () => {
    const { directory } = await backUp()
    const copy = await openSnapshot(`${directory}/snapshot`, anyMajor)
    const port = await copy.sql('show port')
    const refusal = await refusalOf(['-h', '/tmp', '-p', port, '-U', 'focker'])
    await copy.stop()
    expect(refusal).toMatchObject({ status: 5, error: { code: 'refused' } })
    expect(text(refusal)).toMatch(/tablespace one \(.*\), two \(.*\) has a relative location/)
    expect(text(refusal)).toContain('runs inside a pgbk snapshot')
  })
})

/** Client programs of the newest major here, whose psql tells of a server of another version. */
function clientsThatSee(versionNum: number): string {
  const newest = Math.max(...majors)
  const bin = aDirectory('pgbk-bin-')
  const programs = {
    pg_basebackup: "echo 'pg_basebackup (PostgreSQL) 98.0'",
    psql: `${binOf(newest)}/psql "$@" | sed 's/"version_num": [0-9]*/"version_num": ${versionNum}/'`,
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return bin
}

/** Somebody else who takes one WAL sender. */
async function aReceiverOf(server: TestServer) {
  const [file = '', ...args] = [
    ...asUser(),
    `${server.bin}/pg_receivewal`,
    `--directory=${aDirectory('pgbk-receiver-')}`,
    `--dbname=${conninfo(server)}`,
  ]
  const child = execa(file, args, { cwd: '/', reject: false, stdin: 'ignore' })
  await until(
    'it receives',
    async () => (await server.sql('select count(*) from pg_stat_replication')) === '1',
  )
  return {
    end: async () => {
      child.kill('SIGINT')
      await child
    },
  }
}
