import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aFile } from '../helpers/backup.js'
import { aPathWithout } from '../helpers/path-without.js'
import { type PgbkOptions, program, runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { asUser, ifRoot, ordinaryUser } from '../helpers/users.js'

interface Check {
  name: string
  status: string
  text: string
  remedy: string | null
}

const hba = `
local  all          all                       trust
local  replication  focker,plain,asleep,fresh trust
host   all          pw  127.0.0.1/32          scram-sha-256
host   replication  pw  127.0.0.1/32          scram-sha-256
`

let server: TestServer
let root: string
beforeAll(async () => {
  server = await aServer({ major: anyMajor, hba })
  await server.sql(`
    set password_encryption = 'scram-sha-256';
    create role pw login replication password 'right';
    create role far login replication password 'right';
    create role kept_out login replication password 'right';
    create role plain login;
    create role asleep nologin replication;
    create database shop;
    revoke connect on database shop from public;
  `)
})
beforeEach(async () => {
  root = await aRoot()
})

const env = (): Record<string, string> => ({ ...server.env, HOME: root })

/** What the doctor finds, by name; the first of a name. */
async function examine(args: string[] = [], options: PgbkOptions = {}) {
  const ended = await runPgbk(['doctor', '--json', '-C', root, ...args], {
    cwd: root,
    ...options,
    env: { ...env(), ...options.env },
  })
  const { checks } = JSON.parse(ended.stdout) as { checks: Check[] }
  const find = (name: string) => checks.find((check) => check.name === name)
  return { status: ended.status, checks, find }
}

/** Carries a remedy out as it is printed, line by line: of pg_hba.conf, SQL, commands for sh, a restart. */
async function carryOut(remedy: string, environment: Record<string, string>): Promise<void> {
  const lines = remedy.split('\n')
  const rules = lines.filter((line) => /^ +(local|host) /.test(line))
  const file = join(server.data, 'pg_hba.conf')
  if (rules[0]) writeFileSync(file, `${rules[0].trim()}\n${readFileSync(file, 'utf8')}`)
  const statements = lines.flatMap((line) => /\b(?:ALTER|CREATE|GRANT|SELECT) .*;/.exec(line) ?? [])
  for (const statement of statements) await psql(statement)
  if (/restart the server/.test(remedy)) {
    await server.stop()
    await server.start()
  }
  const commands = lines.filter((line) => /^ +\S/.test(line) && !rules.includes(line) && !/;\s*$/.test(line))
  for (const command of commands) await shell(command, environment)
}

/** All that a line has is one transaction, as for psql -c. */
async function psql(line: string): Promise<void> {
  const { bin, socket, port, superuser } = server
  await run([`${bin}/psql`, '-X', '-h', socket, '-p', String(port), '-U', superuser, '-c', line, 'postgres'])
}

async function shell(command: string, environment: Record<string, string>): Promise<void> {
  const pgbk = `pgbk() { '${process.execPath}' '${program}' "$@"; }\n`
  const isForRoot = /chown/.test(command)
  const [file = '', ...args] = [...(isForRoot ? [] : asUser()), 'sh', '-ec', pgbk + command]
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', ...environment }, extendEnv: false }
  await execa(file, args, options)
}

/** The check fails as it is said, its remedy is carried out, and it is well. */
async function mends(name: string, status: string, args: string[] = [], options: PgbkOptions = {}) {
  const before = await examine(args, options)
  const found = before.find(name)
  expect([found, before.status]).toEqual([
    expect.objectContaining({ status, remedy: expect.any(String) }),
    status === 'failed' ? 6 : before.status,
  ])
  const secret = (found?.remedy ?? '').replace('THE-PASSWORD', 'right')
  await carryOut(secret, { ...env(), ...options.env })
  const after = await examine(args, options)
  expect(after.find(name)).toMatchObject({ status: 'ok' })
  return { before, after }
}

describe('the doctor tells of zstd for WAL', () => {
  const nameOf = 'WAL compression'
  const wanted = { PGBK_WAL_COMPRESS: 'zstd:3' }

  it('where it is wanted, and what is compressed with in its place where it is missing', async () => {
    expect((await examine()).find(nameOf)).toBeUndefined()
    expect((await examine([], { env: wanted })).find(nameOf)).toMatchObject({ status: 'ok', text: 'zstd' })
    const without = await examine([], { env: { ...wanted, PATH: aPathWithout('zstd') } })
    expect(without.find(nameOf)).toEqual({
      name: nameOf,
      status: 'warning',
      text: 'the program zstd is not installed: segments are compressed with gzip',
      remedy: '  apt-get install zstd',
    })
  })
})

describe('the doctor finds, and its remedy mends,', () => {
  const onTcp = { PGHOST: '127.0.0.1' }

  it('a role that there is not', () => mends('connection', 'failed', ['-U', 'fresh']))

  it('a role that may not log in', () => mends('connection', 'failed', ['-U', 'asleep']))

  it('a database that the role may not connect to', () =>
    mends('connection', 'failed', ['-U', 'plain', '-d', 'shop']))

  it('a role without the right to replicate', async () => {
    const { before, after } = await mends('role', 'failed', ['-U', 'plain'])
    expect([before.status, after.status]).toEqual([6, 0])
  })

  it('an address that pg_hba.conf does not know', () =>
    mends('connection', 'failed', ['-U', 'far'], { env: { ...onTcp, PGPASSWORD: 'right' } }))

  it('a role that pg_hba.conf lets in, but not for replication', () =>
    mends('replication', 'failed', ['-U', 'kept_out'], { env: { PGPASSWORD: 'right' } }))

  it('a password that is nowhere', () => mends('connection', 'failed', ['-U', 'pw'], { env: onTcp }))

  it('a password file that others can read', async () => {
    chmodSync(await aFile(join(root, '.pgpass'), '*:*:*:pw:right\n'), 0o644)
    await mends('connection', 'failed', ['-U', 'pw'], { env: onTcp })
  })

  it('configuration files that the role may not read', () =>
    mends('configuration files', 'warning', ['-U', 'plain']))

  it('full_page_writes that are off', async () => {
    await server.sql('alter system set full_page_writes = off; select pg_reload_conf(); select pg_sleep(0.2)')
    await mends('full_page_writes', 'warning')
  })

  it('fsync that is off', () => mends('fsync', 'warning'))

  it('a slot that may fill the disk of the server', async () => {
    await server.sql("select pg_create_physical_replication_slot('pgbk', true)")
    await mends('slot limit', 'warning')
    await server.sql("select pg_drop_replication_slot('pgbk')")
  })

  it('a root whose disk is not mounted, or not made', async () => {
    root = join(root, 'not yet/there')
    const options = { cwd: '/', env: { HOME: '/' } }
    const found = (await examine([], options)).find('root')
    expect(found).toMatchObject({ status: 'failed' })
    await run(['sh', '-c', /mkdir .*$/.exec(found?.remedy ?? '')?.[0] ?? 'false'])
    expect((await examine([], options)).find('root')).toMatchObject({ status: 'ok' })
  })

  it('a root that cannot be written', async () => {
    const closed = join(root, 'closed')
    await run(['mkdir', '-m', '500', closed])
    await mends('root', 'failed', ['-C', closed])
  })

  ifRoot('a root of somebody else', async () => {
    const foreign = join(root, 'foreign')
    mkdirSync(foreign)
    await mends('root', 'failed', ['-C', foreign])
  })

  it('a configuration that others can write', async () => {
    const file = await aFile(join(root, '.pgbkrc.yaml'), 'create: { checkpoint: fast }\n')
    chmodSync(file, 0o666)
    await mends('configuration', 'failed')
  })

  it('that there is no backup yet', () => mends('newest backup', 'warning'))

  it('what a killed create has left', async () => {
    const partial = join(root, 'data/backup/.20260101T000000Z.partial')
    await run(['mkdir', '-p', partial])
    await aFile(join(partial, '.pgbk-partial.json'), '{"made_by": "create"}')
    await aFile(join(partial, '../.create.lock'), '')
    await mends('left-overs', 'warning')
    expect(existsSync(partial)).toBe(false)
  })

  it('that no replication slot is free', async () => {
    await restartWith({ max_replication_slots: '1' })
    await server.sql("select pg_create_physical_replication_slot('other')")
    await mends('replication slots', 'failed')
    await server.sql("select pg_drop_replication_slot('other')")
  })

  it('too few WAL senders', async () => {
    await restartWith({ max_wal_senders: '1' })
    await mends('WAL senders', 'failed')
  })

  it('a wal_level that allows no backups', async () => {
    await restartWith({ wal_level: 'minimal', max_wal_senders: '0' })
    const { before, after } = await mends('wal_level', 'failed')
    expect([before.status, after.status]).toEqual([6, 0])
    expect((await runPgbk(['create', '-C', root], { env: server.env })).status).toBe(0)
  })

  it('a cluster without checksums', async () => {
    const bare = await aServer({ major: anyMajor, checksums: false })
    const found = async () => (await examine([], { env: bare.env })).find('checksums')
    const [, command = ''] = (await found())?.remedy?.split('\n') ?? []
    await bare.stop()
    await shell(command, {})
    await bare.start()
    expect(await found()).toMatchObject({ status: 'ok' })
  })

  async function restartWith(settings: Record<string, string>): Promise<void> {
    for (const [name, value] of Object.entries(settings))
      await server.sql(`alter system set ${name} = '${value}'`)
    await server.stop()
    await server.start()
  }
})

describe('the doctor', () => {
  it('has nothing to fail on a good set-up, and create then works', async () => {
    const { status, checks } = await examine()
    expect([status, checks.filter((check) => check.status === 'failed')]).toEqual([0, []])
    expect(existsSync(join(root, 'data'))).toBe(false)
    expect((await runPgbk(['create', '-C', root], { env: env() })).status).toBe(0)
    const after = await examine()
    expect(after.find('working copy')?.status).not.toBe('skipped')
    expect(after.find('newest backup')).toMatchObject({ status: 'ok' })
  })

  it('prints commands that act on the same root and server, pasted anywhere', async () => {
    const { PGHOST = '', PGPORT = '', ...others } = env()
    const { PGUSER = 'focker', ...without } = others
    const flags = ['-h', PGHOST, '-p', PGPORT, '-U', PGUSER]
    await server.sql("select pg_create_physical_replication_slot('pgbk', true)")
    const remedyOf = async (name: string) =>
      (await examine(flags, { env: { PGHOST: '/nowhere', PGPORT: '1' } })).find(name)?.remedy ?? ''
    await carryOut(await remedyOf('newest backup'), without)
    expect(existsSync(join(root, 'data/backup'))).toBe(true)
    const commands = (await remedyOf('WAL receiver')).match(/^ {2}pgbk .*$/gm) ?? []
    const named = `-C ${root} ${flags.join(' ')}`
    expect(commands).toEqual([`  pgbk wal receive ${named}`, `  pgbk wal drop-slot --yes ${named}`])
    await shell(commands[1] ?? '', without)
    expect(await server.sql('select count(*) from pg_replication_slots')).toBe('0')
    expect(await remedyOf('schedule')).toBe(`Write one:\n  pgbk schedule --daily 03:00 ${named}`)
  })

  it('goes on without a server, and leaves out what only that knows', async () => {
    const { status, find } = await examine(['-h', join(root, 'nowhere')])
    expect([status, find('connection')?.status, find('server')?.status, find('clock')]).toEqual([
      6,
      'failed',
      'skipped',
      undefined,
    ])
    expect(find('root')).toMatchObject({ status: 'ok' })
  })

  it('names another cluster in the root, and a root inside the server', async () => {
    expect((await runPgbk(['create', '-C', root], { env: env() })).status).toBe(0)
    const other = await aServer({ major: anyMajor })
    expect((await examine([], { env: other.env })).find('cluster')).toMatchObject({ status: 'failed' })
    root = server.data
    const inside = await examine()
    expect(inside.checks.filter(({ status }) => status === 'failed').map(({ name }) => name)).toEqual([
      'disk',
    ])
  })

  it('says who holds the lock', async () => {
    expect((await runPgbk(['create', '-C', root], { env: env() })).status).toBe(0)
    const lock = join(root, 'data/backup/.create.lock')
    const [file = '', ...args] = [...asUser(), 'flock', lock, 'sh', '-c', 'echo held; cat']
    const holder = execa(file, args, { reject: false })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    expect((await examine()).find('lock')).toMatchObject({
      status: 'warning',
      text: expect.stringMatching(/a create since/),
    })
    holder.stdin.end()
    await holder
    expect((await examine()).find('lock')).toMatchObject({ status: 'ok' })
  })

  it('tells faults of the configuration, and of the programs', async () => {
    await aFile(join(root, '.pgbkrc.yaml'), 'retention: { dayly: 7 }\n')
    const { status, checks } = await examine()
    expect([status, checks[0]]).toEqual([
      6,
      expect.objectContaining({ name: 'configuration', status: 'failed' }),
    ])
    expect(checks[0]?.remedy).toContain('retention.dayly: unknown key')
    const nowhere = aDirectory()
    await aFile(join(root, '.pgbkrc.yaml'), `bin_dir: ${nowhere}\n`)
    expect((await examine()).find('client programs')).toMatchObject({ status: 'failed' })
  })

  it('prints a line for each check, with words, and remedies below that can be copied', async () => {
    const { status, stdout } = await runPgbk(['doctor', '-q', '-C', root, '-U', 'neither'], { env: env() })
    expect(status).toBe(6)
    expect(stdout).toMatch(
      /^✗ failed {3}connection +cannot connect to the server: .*role "neither" does not exist$/m,
    )
    expect(stdout).toMatch(/^ {6}.*CREATE ROLE neither LOGIN REPLICATION;$/m)
    expect(stdout).not.toContain('✓')
  })

  ifRoot('does not stumble over a root whose backups are not for it to read', async () => {
    expect((await runPgbk(['create', '-C', root], { env: env() })).status).toBe(0)
    await execa('chown', ['-R', 'root', join(root, 'data')])
    const { status, find } = await examine()
    expect([status, find('root')?.status, find('backups')?.status, find('clock')?.status]).toEqual([
      6,
      'failed',
      'skipped',
      'ok',
    ])
  })

  ifRoot('as root looks as the user whom create works as', async () => {
    const { find } = await examine(['-U', 'focker'], { asRoot: true })
    expect(find('root')?.text).toContain(`can be written by ${ordinaryUser.name}`)
    const closed = aDirectory()
    chmodSync(closed, 0o700)
    await execa('chown', ['root', closed])
    root = join(closed, 'root')
    mkdirSync(root)
    const { status, find: found } = await examine([], { asRoot: true, cwd: '/' })
    expect([status, found('root')?.status]).toEqual([6, 'failed'])
  })
})
