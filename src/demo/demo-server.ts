import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { connectionFrom } from '../postgres/connection/connection.js'
import { type Psql, query } from '../postgres/connection/psql.js'
import { choosePort } from '../postgres/local/port.js'
import { findInstallations, programOf } from '../postgres/programs/find.js'
import { sql } from '../postgres/sql/sql.js'
import { type SupervisedServer, supervise, waitUntilReady } from '../run/enclosure/supervisor.js'
import { runProgram } from '../system/program/run-program.js'
import { noServerPrograms } from './demo-needs.js'

export interface DemoServer {
  major: number
  bin: string
  port: number
  /** Directory of its socket. */
  host: string
  psql: Psql
  process: SupervisedServer
}

export const demoRole = 'shop'

/** Makes a new cluster with a small bookshop in it, and starts it. */
export async function startDemoServer(
  directory: string,
  binDir: string | undefined,
  context: Context,
): Promise<DemoServer> {
  const { major, bin } = await findServerPrograms(binDir, context)
  const { env } = context
  const data = join(directory, 'server')
  const initdb = [
    '--pgdata',
    data,
    '--username',
    demoRole,
    '--auth=trust',
    '--no-sync',
    '--encoding=UTF8',
    '--no-locale',
  ]
  const { status, stderr } = await runProgram(join(bin, 'initdb'), initdb, { env, signal: context.signal })
  if (status !== 0) throw new PgbkError('failed', `initdb failed: ${stderr.trim()}`)
  const port = await choosePort()
  const settings = {
    listen_addresses: '',
    unix_socket_directories: directory,
    cluster_name: 'bookshop',
    fsync: 'off',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const connection = connectionFrom(
    { host: directory, port: String(port), username: demoRole, dbname: 'postgres' },
    undefined,
    env,
    'pgbk_demo',
  )
  const psql: Psql = { program: join(bin, 'psql'), connection, signal: context.signal }
  mkdirSync(join(directory, 'archive disk'))
  const command = [join(bin, 'postgres'), '-D', data, '-p', String(port), ...flags]
  const plain = { command, cwd: directory, log: join(directory, 'server.log'), psql }
  const process = await startPlainServer(plain, context)
  await query(psql, sql`CREATE DATABASE bookshop;`)
  const values = { tablespace: join(directory, 'archive disk') }
  await query(psql, sampleData, { database: 'bookshop', values })
  return { major, bin, port, host: directory, psql, process }
}

/** Starts a server that psql can ask, in this directory. */
export async function startPlainServer(
  { command, cwd, log, psql }: { command: string[]; cwd: string; log: string; psql: Psql },
  context: Context,
): Promise<SupervisedServer> {
  const { env, signal } = context
  const server = await supervise({ command, cwd, log, env, signal })
  try {
    await waitUntilReady(server.hasEnded, log, signal, async () => (await answers(psql)) || undefined)
  } catch (error) {
    await server.stop(context)
    throw error
  }
  return server
}

/** @throws {PgbkError} `programs-missing` when no major has both server and client programs here. */
async function findServerPrograms(
  binDir: string | undefined,
  context: Context,
): Promise<{ major: number; bin: string }> {
  const installations = await findInstallations(binDir, context)
  const usable = installations.filter(({ major }) =>
    ['postgres', 'initdb', 'pg_verifybackup', 'pg_basebackup', 'psql'].every((program) =>
      programOf(major, program, installations),
    ),
  )
  const [newest] = usable.sort((a, b) => b.major - a.major)
  if (newest) return newest
  throw noServerPrograms()
}

async function answers(psql: Psql): Promise<boolean> {
  try {
    await query(psql, sql`SELECT 1;`)
    return true
  } catch (error) {
    psql.signal?.throwIfAborted()
    if (error instanceof PgbkError && error.code === 'unreachable') return false
    throw error
  }
}

const sampleData = sql`
RESET search_path;
CREATE TABLESPACE archive_disk LOCATION :'tablespace';
CREATE TABLE books (id int PRIMARY KEY, title text, price numeric);
INSERT INTO books VALUES (1, 'The Art of Sleeping Well', 18.50), (2, 'Backups for Optimists', 24.00), (3, 'A Short History of DROP TABLE', 12.90);
CREATE TABLE orders (id int PRIMARY KEY, book int REFERENCES books, sold_at timestamptz) TABLESPACE archive_disk;
INSERT INTO orders SELECT n, 1 + n % 3, now() - n * interval '7 minutes' FROM generate_series(1, 20000) AS n;
CREATE VIEW sales AS SELECT title, price, sold_at FROM books JOIN orders ON book = books.id;
`
