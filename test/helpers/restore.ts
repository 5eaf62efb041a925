import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { MadeBackup } from './backup.js'
import { aFile } from './backup.js'
import { type PgbkOptions, runPgbk, startPgbk } from './pgbk.js'
import { aDirectory, aFreePort } from './places.js'
import { anyMajor, binOf, type Ended, run } from './programs.js'
import type { TestServer } from './server.js'

const cache = aDirectory('pgbk-cache-')

const inCache = (options: PgbkOptions): PgbkOptions => ({
  ...options,
  env: { HOME: cache, XDG_CACHE_HOME: cache, ...options.env },
})

/** Any command of pgbk on a root. */
export function pgbkIn(root: string, args: string[], options: PgbkOptions = {}): Promise<Ended> {
  return runPgbk([...args, '-C', root], inCache(options))
}

/**
 * `pgbk restore` on a root, to its end; its servers end when its root goes. An instance gets a port that no other test has: what is free
 * when pgbk chooses it may be taken when the server starts.
 */
export async function restore(root: string, args: string[] = [], options: PgbkOptions = {}): Promise<Ended> {
  const needsNone = args.some((one) => ['--port', '-D', '--dry-run'].includes(one))
  const port = needsNone ? [] : ['--port', String(await aFreePort())]
  return runPgbk(['restore', '-C', root, ...port, ...args], inCache(options))
}

export function startRestore(root: string, args: string[] = [], options: PgbkOptions = {}) {
  return startPgbk(['restore', '-C', root, ...args], inCache(options))
}

/** What `--json` says of an instance, or of a given directory. */
export interface Restored {
  name: string
  backup: string
  state: string
  port: number
  /** Of its socket, for an instance. */
  socket_directory: string
  pid: number | null
  role: string
  database: string
  directory: string
  log: string
  as_of: string
  wal: { segments: number; bytes: number }
  notes: string[]
  switched_off: string[] | null
}

/** The instance or directory that a restore has made; fails the test when it does not succeed. */
export async function restored(
  root: string,
  args: string[] = [],
  options: PgbkOptions = {},
): Promise<Restored> {
  const { status, stdout, stderr } = await restore(root, [...args, '--json'], options)
  if (status !== 0) throw new Error(`restore ended with ${status}:\n${stdout}${stderr}`)
  return JSON.parse(stdout).instance
}

/** The error of a command as JSON, with its status. */
export async function refusal(ended: Ended | Promise<Ended>) {
  const { status, stdout } = await ended
  const { error } = JSON.parse(stdout)
  return { status, code: error.code, message: String(error.message), hint: String(error.hint) }
}

/** The instances of a root, as `instance list` tells. */
export async function instancesIn(root: string, options: PgbkOptions = {}): Promise<Restored[]> {
  const { stdout } = await pgbkIn(root, ['instance', 'list', '--json'], options)
  return JSON.parse(stdout).instances
}

interface AskedServer {
  port: number
  role: string
  socket?: string
  /** That of an instance. */
  socket_directory?: string
}

/** Asks a server over its socket: that of an instance, or in /tmp if nothing else is said. */
export async function ask(
  { port, role, socket, socket_directory = '/tmp' }: AskedServer,
  statement: string,
  database = 'postgres',
  major = anyMajor,
): Promise<string> {
  const connect = ['-h', socket ?? socket_directory, '-p', String(port), '-U', role, '-d', database]
  const psql = [`${binOf(major)}/psql`, '-XAtq', '-v', 'ON_ERROR_STOP=1', ...connect, '-f', '-']
  return (await run(psql, { input: statement, stdin: undefined })).stdout
}

/** In what form segments come into the archive. */
export interface ArchiveForm {
  gzip?: boolean
  /** Without the unfinished segment at the end. */
  withoutPartial?: boolean
}

/** Puts the WAL that the server has written since a backup into its archive, as a receiver would. */
export async function archiveWal(
  server: TestServer,
  { directory, record }: MadeBackup,
  { gzip = false, withoutPartial = false }: ArchiveForm = {},
): Promise<string[]> {
  const archive = join(directory, 'wal')
  const [first] = readdirSync(archive).sort()
  const current = await server.sql('select pg_walfile_name(pg_current_wal_lsn())')
  const names = readdirSync(join(server.data, 'pg_wal')).filter(
    (name) => /^[0-9A-F]{24}$/.test(name) && name >= (first ?? '') && name <= current,
  )
  const added: string[] = []
  for (const name of names.sort()) {
    const isPartial = name === current
    if (existsSync(join(archive, name)) || (isPartial && withoutPartial)) continue
    const content = readFileSync(join(server.data, 'pg_wal', name))
    if (content.length !== record.wal_segment_size) throw new Error(`${name} has ${content.length} bytes`)
    const form = isPartial ? '.partial' : gzip ? '.gz' : ''
    await aFile(join(archive, name + form), '')
    await writeFile(join(archive, name + form), form === '.gz' ? gzipSync(content, { level: 1 }) : content)
    added.push(name + form)
  }
  return added
}

/** Makes rows in segments of their own: so many segments are finished, and the last row is in an unfinished one. */
export async function writeSegments(server: TestServer, count: number): Promise<void> {
  await server.sql('create table if not exists late (n int)')
  for (let n = 1; n <= count; n++) await server.sql(`insert into late values (${n}); select pg_switch_wal()`)
  await server.sql(`insert into late values (${count + 1})`)
}
