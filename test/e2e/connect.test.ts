import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect } from '@jest/globals'
import { aBackup, aBackupOf, aFile, entriesBelow, fileIn } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { commandLinesDuring } from '../helpers/process-list.js'
import { anyMajor } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { type Certificates, certificates } from '../helpers/tls.js'

const { describe, it } = needs('program openssl')

const role = 'backup role'
const password = `p@ss:w/o?r&d#100%'"\\ = {ü}`

/** The superuser comes in without a password, the backup role only with one, the TLS role only encrypted. */
const hba = ['all', 'replication']
  .flatMap((database) => [
    `local ${database} focker trust`,
    `host ${database} focker 127.0.0.1/32 trust`,
    `host ${database} "${role}" 127.0.0.1/32 scram-sha-256`,
    `local ${database} "${role}" scram-sha-256`,
    `hostssl ${database} encrypted 127.0.0.1/32 trust`,
  ])
  .join('\n')

let server: TestServer
let tls: Certificates
let tcp: Record<string, string>

beforeAll(async () => {
  tls = await certificates()
  server = await aServer({
    major: anyMajor,
    hba: `${hba}\n`,
    settings: { ...tls.settings, password_encryption: 'scram-sha-256', listen_addresses: '127.0.0.1' },
  })
  await server.sql(`
    create role "${role}" login replication password '${password.replaceAll("'", "''")}';
    create role encrypted login replication;
    create database app;`)
  tcp = { PGHOST: '127.0.0.1', PGPORT: String(server.port) }
})

/** A directory with a .pgbkrc.yaml in it that names this connection. */
async function aConfigured(connection: string): Promise<string> {
  const root = await aRoot()
  await aFile(join(root, '.pgbkrc.yaml'), `connection: ${JSON.stringify(connection)}\n`)
  return root
}

const inConninfo = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`
const conninfoOf = (user: string, secret: string) =>
  `host=127.0.0.1 port=${server.port} user=${inConninfo(user)} password = ${inConninfo(secret)}`
const uriOf = (user: string, secret: string) =>
  `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@127.0.0.1:${server.port}/postgres`

describe('create reaches the server', () => {
  it('over its socket, and records that', async () => {
    const { record, stderr } = await aBackupOf(server)
    expect(record.server).toMatchObject({ host: server.socket, port: server.port })
    expect(stderr).toContain(`at socket ${server.socket}, port ${server.port}, cluster testing`)
  })

  it('over TCP, and records that', async () => {
    const { record, stderr } = await aBackup({ env: { ...tcp, PGUSER: 'focker' } })
    expect(record.server).toMatchObject({ host: '127.0.0.1', port: server.port })
    expect(stderr).toContain(`at 127.0.0.1:${server.port}, cluster testing`)
  })

  it('over TLS with an authority that is checked', async () => {
    const env = { ...tcp, PGHOST: 'localhost', PGUSER: 'encrypted', PGSSLMODE: 'verify-ca' }
    const { record } = await aBackup({ env: { ...env, PGSSLROOTCERT: tls.authority } })
    expect(record.server.host).toBe('localhost')
    const other = await certificates()
    const refused = await runPgbk(['create', '-C', await aRoot()], {
      env: { ...env, PGSSLROOTCERT: other.authority },
    })
    expect(refused.status).toBe(5)
    expect(refused.stderr).toContain('certificate verify failed')
  })

  it('over TLS as a URI asks for', async () => {
    const query = `sslmode=verify-full&sslrootcert=${encodeURIComponent(tls.authority)}`
    const uri = `postgresql://encrypted@localhost:${server.port}/postgres?${query}`
    expect((await aBackup({ args: ['-d', uri] })).record.verified).toBe(true)
  })

  it('at the second host of a connection string when the first does not answer', async () => {
    const dead = await aFreePort()
    const conninfo = `host=127.0.0.1,${server.socket} port=${dead},${server.port} user=focker`
    const { record } = await aBackup({ args: ['-d', conninfo] })
    expect(record.server).toMatchObject({ host: server.socket, port: server.port })
  })

  it('at the second address of a URI when the first does not answer', async () => {
    const uri = `postgresql://focker@127.0.0.1:${await aFreePort()},127.0.0.1:${server.port}/app`
    expect((await aBackup({ args: ['-d', uri] })).record.server.port).toBe(server.port)
  })
})

describe('create finds a password', () => {
  const env = () => ({ ...tcp, PGUSER: role })

  it('in PGPASSFILE', async () => {
    const escaped = password.replace(/[\\:]/g, '\\$&')
    const line = `127.0.0.1:${server.port}:*:${role}:${escaped}\n`
    const PGPASSFILE = await aFile(join(aDirectory(), 'passwords'), line)
    expect((await aBackup({ env: { ...env(), PGPASSFILE } })).record.verified).toBe(true)
  })

  it('in .pgpass of the home directory', async () => {
    const HOME = aDirectory()
    await aFile(join(HOME, '.pgpass'), `*:*:*:*:${password.replace(/[\\:]/g, '\\$&')}\n`)
    expect((await aBackup({ env: { ...env(), HOME } })).record.verified).toBe(true)
  })

  it('in PGPASSWORD', async () => {
    expect((await aBackup({ env: { ...env(), PGPASSWORD: password } })).record.verified).toBe(true)
  })

  it('over the socket too', async () => {
    const local = { ...server.env, PGUSER: role, PGPASSWORD: password }
    expect((await aBackup({ env: local })).record.server.host).toBe(server.socket)
  })

  it('in a URI', async () => {
    expect((await aBackup({ args: ['-d', uriOf(role, password)] })).record.verified).toBe(true)
  })

  it('in a conninfo', async () => {
    expect((await aBackup({ args: ['-d', conninfoOf(role, password)] })).record.verified).toBe(true)
  })

  it('in the connection of .pgbkrc.yaml', async () => {
    const root = await aConfigured(conninfoOf(role, password))
    expect((await aBackup({ root, cwd: root })).record.verified).toBe(true)
  })

  it('nowhere, and says where it could be', async () => {
    const { status, stderr } = await runPgbk(['create', '-C', await aRoot()], { env: env() })
    expect(status).toBe(5)
    expect(stderr).toContain('no password supplied')
    expect(stderr).toContain('~/.pgpass')
  })
})

describe('create uses a service file', () => {
  let PGSERVICEFILE: string
  beforeAll(async () => {
    const text = `[production]\nhost=127.0.0.1\nport=${server.port}\nuser=${role}\npassword=${password}\ndbname=app\n`
    PGSERVICEFILE = await aFile(join(aDirectory(), 'services'), text)
  })

  it('that PGSERVICE names an entry of', async () => {
    const { record } = await aBackup({ env: { PGSERVICEFILE, PGSERVICE: 'production' } })
    expect(record.server).toMatchObject({ host: '127.0.0.1', port: server.port })
  })

  it('that a conninfo names an entry of', async () => {
    const { record } = await aBackup({ env: { PGSERVICEFILE }, args: ['-d', 'service=production'] })
    expect(record.server).toMatchObject({ host: '127.0.0.1', port: server.port })
  })

  it('that the configuration names an entry of', async () => {
    const root = await aConfigured('service=production')
    const { record } = await aBackup({ root, cwd: root, env: { PGSERVICEFILE } })
    expect(record.server.host).toBe('127.0.0.1')
  })
})

describe('a password', () => {
  const secret = 'a-very-secret-word'
  beforeAll(async () => {
    await server.sql(`create role tight login replication password '${secret}'`)
    await server.sql(
      'create table bulk as select repeat(md5(n::text), 40) as t from generate_series(1, 10000) n',
    )
    const lines = ['all', 'replication'].map(
      (database) => `host ${database} tight 127.0.0.1/32 scram-sha-256\n`,
    )
    await writeFile(join(server.data, 'pg_hba.conf'), `${hba}\n${lines.join('')}`)
    await server.sql('select pg_reload_conf()')
  })

  /** Runs a create for some seconds; tells what it said and all command lines meanwhile. */
  async function watchedCreate(args: string[], cwd: string, from: 'start' | 'first word') {
    const child = startPgbk(['create', '-C', cwd, '--verbose', '--max-rate', '16M', ...args], { cwd })
    if (from === 'first word') await once(child.stderr, 'data')
    const seen = await commandLinesDuring(child)
    const { exitCode, stdout, stderr } = await child
    const copying = seen.some((line) => line.includes('pg_basebackup') && line.includes(cwd))
    const shown = seen.filter((line) => line.includes(secret))
    return { said: `${stdout}${stderr}`, outcome: { status: exitCode, copying, shown } }
  }

  async function filesWith(text: string, root: string): Promise<string[]> {
    const files = entriesBelow(root).filter((entry) => entry.isFile() && entry.name !== '.pgbkrc.yaml')
    const paths = files.map((entry) => join(entry.parentPath, entry.name))
    const found = await Promise.all(paths.map(async (path) => (await readFile(path)).includes(text)))
    return paths.filter((_, index) => found[index])
  }

  it('of a configured conninfo never shows in the process list, in what is said, or in the backup', async () => {
    const root = await aConfigured(conninfoOf('tight', secret))
    const { said, outcome } = await watchedCreate([], root, 'start')
    expect(outcome).toEqual({ status: 0, copying: true, shown: [] })
    expect(said).toContain('pg_basebackup --pgdata=')
    expect(said).not.toContain(secret)
    expect(await filesWith(secret, root)).toEqual([])
  })

  it('of a URI on the command line is gone from the process list when pgbk works', async () => {
    const root = await aRoot()
    const { said, outcome } = await watchedCreate(['-d', uriOf('tight', secret)], root, 'first word')
    expect(outcome).toEqual({ status: 0, copying: true, shown: [] })
    expect(said).not.toContain(secret)
    expect(await filesWith(secret, root)).toEqual([])
  })
})

describe('the connection', () => {
  let dead: string
  beforeEach(async () => {
    dead = String(await aFreePort())
  })

  it('goes to the database that -d names', async () => {
    await server.sql('alter database postgres with allow_connections false', 'app')
    const refused = await runPgbk(['create', '-C', await aRoot()], { env: server.env })
    const { record } = await aBackupOf(server, { args: ['-d', 'app'] })
    await server.sql('alter database postgres with allow_connections true', 'app')
    expect(refused.status).toBe(5)
    expect(record.databases.map(({ name }) => name)).toContain('app')
  })

  it('needs no database of the name of the role', async () => {
    expect(await server.sql("select count(*) from pg_database where datname = 'focker'")).toBe('0')
    expect((await aBackupOf(server)).record.superuser).toBe('focker')
  })

  it('takes flags before the configuration', async () => {
    const root = await aConfigured(`host=127.0.0.1 port=${dead} user=nobody`)
    const args = ['-h', server.socket, '-p', String(server.port), '-U', 'focker']
    expect((await aBackup({ root, cwd: root, args })).record.server.host).toBe(server.socket)
  })

  it('takes a connection string of -d in place of the configured one', async () => {
    const root = await aConfigured(`host=127.0.0.1 port=${dead} user=nobody`)
    const args = ['-d', `host=${server.socket} port=${server.port} user=focker`]
    expect((await aBackup({ root, cwd: root, args })).record.server.host).toBe(server.socket)
  })

  it('takes the configuration before PG* variables', async () => {
    const root = await aConfigured(`host=${server.socket} port=${server.port} user=focker`)
    const env = { PGHOST: '127.0.0.1', PGPORT: dead, PGUSER: 'nobody' }
    expect((await aBackup({ root, cwd: root, env })).record.server.host).toBe(server.socket)
  })

  it('takes PGBK_CONNECTION before the file', async () => {
    const root = await aConfigured(`host=127.0.0.1 port=${dead} user=nobody`)
    const env = { PGBK_CONNECTION: `host=${server.socket} port=${server.port} user=focker` }
    expect((await aBackup({ root, cwd: root, env })).record.server.host).toBe(server.socket)
  })
})

describe('settings of the caller', () => {
  it('do not become those of the copy', async () => {
    const env = {
      PGOPTIONS: '-c search_path=mine -c bytea_output=escape',
      PGTZ: 'Asia/Tokyo',
      PGDATESTYLE: 'SQL',
    }
    const backup = await aBackupOf(server, { env })
    const conf = fileIn(backup, 'conf/postgresql.conf')
    expect(conf).not.toMatch(/mine|escape'|Tokyo|'SQL/)
  })

  it('that belong to the role or the database do not become those of the copy', async () => {
    await server.sql(`
      alter role focker set search_path = mine;
      alter role focker set app.tenant = 'mine';
      alter database postgres set TimeZone = 'Asia/Tokyo';`)
    const conf = fileIn(await aBackupOf(server), 'conf/postgresql.conf')
    await server.sql('alter role focker reset all; alter database postgres reset all')
    expect(conf).not.toMatch(/mine|Tokyo/)
    expect(conf).toMatch(/^# TimeZone = /m)
  })
})
