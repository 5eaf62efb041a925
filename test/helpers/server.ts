import { appendFileSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { newCluster } from './new-cluster.js'
import { aDirectory, aFreePort, atEnd } from './places.js'
import { attempt, binOf, run } from './programs.js'
import { asUser } from './users.js'

export interface ServerOptions {
  major: number
  /** Bootstrap superuser; never `postgres`, so that nothing relies on that name. */
  superuser?: string
  checksums?: boolean
  /** Further lines for postgresql.conf. */
  settings?: Record<string, string>
  /** Lines for pg_hba.conf, in place of "trust" for everything. */
  hba?: string
  /** Further arguments of initdb. */
  initdb?: string[]
}

/** A throw-away server that runs as the ordinary user. */
export interface TestServer {
  major: number
  bin: string
  directory: string
  data: string
  /** Where its socket is. */
  socket: string
  port: number
  superuser: string
  log: string
  /** PGHOST, PGPORT and PGUSER of its superuser. */
  env: Record<string, string>
  /** Runs SQL and returns unaligned rows. */
  sql(statements: string, database?: string): Promise<string>
  start(): Promise<void>
  stop(mode?: 'fast' | 'immediate'): Promise<void>
}

/** A new cluster, started, with nothing in it. */
export async function aServer(options: ServerOptions): Promise<TestServer> {
  const directory = aDirectory('pgbk-server-')
  const { major, superuser = 'focker', checksums = true } = options
  const data = join(directory, 'data')
  const flags = checksums ? ['--data-checksums'] : major >= 18 ? ['--no-data-checksums'] : []
  await newCluster(major, ['-U', superuser, ...flags, ...(options.initdb ?? [])], data)
  if (options.hba !== undefined) await writeFile(join(data, 'pg_hba.conf'), options.hba)
  return startServer(options, directory, data)
}

/** A standby that streams from a running server. */
export async function aStandbyOf(primary: TestServer): Promise<TestServer> {
  const directory = aDirectory('pgbk-standby-')
  const data = join(directory, 'data')
  // One that falls behind finds all that it lacks.
  await primary.sql("alter system set wal_keep_size = '256MB'")
  await primary.sql('select pg_reload_conf()')
  const spaces = await primary.sql(
    "select oid || '=' || pg_tablespace_location(oid) from pg_tablespace where pg_tablespace_location(oid) like '/%'",
  )
  const mappings = spaces
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [oid = '', ...location] = line.split('=')
      return `--tablespace-mapping=${location.join('\\=')}=${join(directory, oid)}`
    })
  await run([
    `${primary.bin}/pg_basebackup`,
    '-D',
    data,
    '-R',
    '-c',
    'fast',
    '-d',
    conninfo(primary),
    ...mappings,
  ])
  return startServer({ major: primary.major, superuser: primary.superuser }, directory, data)
}

/** Starts a server on an existing data directory. */
async function startServer(options: ServerOptions, directory: string, data: string): Promise<TestServer> {
  const { major, superuser = 'focker' } = options
  const port = await aFreePort()
  const settings = {
    port: String(port),
    unix_socket_directories: directory,
    fsync: 'off',
    cluster_name: 'testing',
    ...options.settings,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
  appendFileSync(join(data, 'postgresql.conf'), lines.join(''))
  const bin = binOf(major)
  const log = join(directory, 'log')
  const server: TestServer = {
    major,
    bin,
    directory,
    data,
    socket: directory,
    port,
    superuser,
    log,
    env: { PGHOST: directory, PGPORT: String(port), PGUSER: superuser },
    sql: (statements, database = 'postgres') => sql(server, statements, database),
    start: () => start(server),
    stop: (mode = 'fast') => stop(server, mode),
  }
  atEnd(() => server.stop('immediate'))
  await server.start()
  return server
}

async function start(server: TestServer): Promise<void> {
  try {
    await run([`${server.bin}/pg_ctl`, '-D', server.data, '-l', server.log, '-w', 'start'], {
      stdout: 'ignore',
      stderr: 'ignore',
    })
  } catch {
    throw new Error(`the test server does not start:\n${readFileSync(server.log, 'utf8').slice(-2000)}`)
  }
}

async function stop(server: TestServer, mode: string): Promise<void> {
  await attempt([`${server.bin}/pg_ctl`, '-D', server.data, '-m', mode, '-w', 'stop'])
}

export function conninfo(server: TestServer): string {
  return `host=${server.socket} port=${server.port} user=${server.superuser}`
}

async function sql(
  server: Pick<TestServer, 'bin' | 'socket' | 'port' | 'superuser'>,
  statements: string,
  database: string,
) {
  const connect = ['-h', server.socket, '-p', String(server.port), '-U', server.superuser, '-d', database]
  const { stdout } = await run(
    [`${server.bin}/psql`, '-XAtq', '-v', 'ON_ERROR_STOP=1', ...connect, '-f', '-'],
    {
      input: statements,
      stdin: undefined,
    },
  )
  return stdout
}

/**
 * Fills a server with what backups must not lose: tablespaces at odd paths, several databases, an unlogged table, a large
 * object, a partitioned table, and production's archive settings by ALTER SYSTEM.
 */
export async function fill(server: TestServer): Promise<void> {
  const spaces = [join(server.directory, 'space one'), join(server.directory, 'space=two')]
  for (const space of spaces) await run(['mkdir', space])
  await server.sql(`
    create database app;
    create database "strange name";
    create tablespace one location '${spaces[0]}';
    create tablespace two location '${spaces[1]}';
    alter system set archive_mode = on;
    alter system set archive_command = 'echo touched >> ${server.directory}/archived';
  `)
  await server.sql(
    `
    create table ledger (id int primary key, at timestamptz default clock_timestamp()) tablespace one;
    insert into ledger select generate_series(1, 1000);
    create table elsewhere tablespace two as select generate_series(1, 100) as n;
    create unlogged table scratch as select 1 as n;
    select lo_from_bytea(4711, 'a large object');
    create table parts (n int) partition by range (n);
    create table parts_low partition of parts for values from (0) to (100);
    create table parts_high partition of parts for values from (100) to (200) tablespace one;
    insert into parts select generate_series(0, 199);
  `,
    'app',
  )
}

/** Rows by which a copy of a filled server is recognised; the unlogged table is empty there. */
export const filledRows = `
  select count(*) from ledger; select count(*) from elsewhere; select count(*) from parts;
  select convert_from(lo_get(4711), 'UTF8'); select count(*) from scratch;`
export const filledAnswer = '1000\n100\n200\na large object\n0'

export interface OpenSnapshot {
  sql(statements: string, database?: string): Promise<string>
  stop(): Promise<void>
}

/** Opens a snapshot as its README says, `postgres -D conf` in the snapshot, as the ordinary user. */
export async function openSnapshot(
  snapshot: string,
  major: number,
  superuser = 'focker',
): Promise<OpenSnapshot> {
  const port = await aFreePort()
  const [file = '', ...args] = [...asUser(), `${binOf(major)}/postgres`, '-D', 'conf', '-p', String(port)]
  const child = execa(file, args, { cwd: snapshot, reject: false, stdin: 'ignore', all: true })
  const target = { bin: binOf(major), socket: '/tmp', port, superuser }
  const stopSnapshot = async () => {
    child.kill('SIGINT')
    await child
  }
  for (let attempts = 0; ; attempts++) {
    const ready = await attempt([`${target.bin}/pg_isready`, '-h', '/tmp', '-p', String(port)])
    if (ready.status === 0) break
    if (attempts > 300 || child.exitCode !== null) {
      await stopSnapshot()
      throw new Error(`postgres -D conf does not start:\n${(await child).all}`)
    }
    await sleep(50)
  }
  return { sql: (statements, database = 'postgres') => sql(target, statements, database), stop: stopSnapshot }
}

/** `pg_verifybackup data` in a snapshot, as its README says. */
export async function verifies(snapshot: string, major: number): Promise<boolean> {
  return (await attempt([`${binOf(major)}/pg_verifybackup`, '-q', 'data'], { cwd: snapshot })).status === 0
}

/** A directory of the ordinary user for backups. */
export async function aRoot(name?: string): Promise<string> {
  const parent = aDirectory('pgbk-root-')
  if (name === undefined) return parent
  const root = join(parent, name)
  await run(['mkdir', root])
  return root
}
