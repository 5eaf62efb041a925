import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { asUser, check } from './measure.js'

/**
 * Runs `work` with a new server in this directory, which is stopped in any case.
 * @param initdb further words for that. @param further lines for postgresql.conf.
 */
export async function withServer(bin, directory, work, initdb = [], further = '') {
  const data = join(directory, 'server')
  const port = await freePort()
  const made = ['-D', data, '-U', 'bench', '--auth=trust', '--no-sync', '--data-checksums', ...initdb]
  check(asUser([`${bin}/initdb`, ...made]))
  const settings = `port = ${port}\nunix_socket_directories = '${directory}'\nfsync = off\nautovacuum = off\nmax_wal_size = 256MB\n${further}`
  appendFileSync(join(data, 'postgresql.conf'), settings)
  const control = (...args) => asUser([`${bin}/pg_ctl`, '-D', data, '-w', ...args])
  try {
    // pg_ctl's server would keep a pipe open for as long as it runs.
    check(control('-l', join(directory, 'server.log'), 'start'), { stdio: 'ignore' })
    return await work(serverAt(bin, directory, port))
  } finally {
    const [file, ...args] = control('-m', 'immediate', 'stop')
    spawnSync(file, args, { cwd: '/' })
  }
}

function serverAt(bin, directory, port) {
  const connect = ['-h', directory, '-p', String(port), '-U', 'bench']
  const sql = (statement) =>
    check(
      asUser([
        `${bin}/psql`,
        '-XAtq',
        '-v',
        'ON_ERROR_STOP=1',
        ...connect,
        '-d',
        'postgres',
        '-c',
        statement,
      ]),
    ).trim()
  return { bin, connect, sql }
}

/** Rows that fill about so many megabytes: four of this width fill a page of 8 kB, and none is long enough to be compressed. */
function rowsOf(megabytes) {
  return `SELECT n, repeat(md5(n::text), 60) AS filler FROM generate_series(1, ${Math.round(megabytes * 128 * 4)}) n`
}

/** The same in the default tablespace alone: half of it rows that compress well, half of it pages that do so less. */
export function fillInOnePlace({ sql }, megabytes) {
  sql(`CREATE TABLE large AS ${rowsOf(megabytes / 2)}`)
  sql(`CREATE TABLE accounts AS SELECT n AS id, (random() * 1e9)::int AS balance, md5(n::text) AS filler
FROM generate_series(1, ${Math.round((megabytes / 2) * 128 * 110)}) n`)
  sql('CHECKPOINT')
}

/** Fills a server with about so many megabytes, a quarter of them in a tablespace of its own. Returns the tablespace. */
export function fill({ sql }, directory, megabytes) {
  const location = join(directory, 'space')
  check(asUser(['mkdir', location]))
  sql(`CREATE TABLESPACE archive LOCATION '${location}'`)
  const rows = (share) => rowsOf(megabytes * share)
  sql(`CREATE TABLE large AS ${rows(0.75)}`)
  sql(`CREATE TABLE old TABLESPACE archive AS ${rows(0.25)}`)
  sql('CHECKPOINT')
  return { oid: sql("SELECT oid FROM pg_tablespace WHERE spcname = 'archive'"), location }
}

/** One that is free; rejects where this one is not. */
export async function freePort(wanted = 0) {
  const server = createServer()
  await new Promise((resolve, reject) => server.on('error', reject).listen(wanted, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a server, asks it once it answers, and ends it. Returns the time of the answer. */
export async function startAndAsk(bin, cwd, flags) {
  const port = await freePort()
  const [file, ...args] = asUser([`${bin}/postgres`, ...flags, '-p', String(port), '-k', '/tmp'])
  const server = spawn(file, args, { cwd, stdio: 'ignore' })
  const ended = new Promise((resolve) => server.on('close', resolve))
  const [psql, ...words] = asUser([
    'psql',
    '-XAtc',
    'select 1',
    '-h',
    '/tmp',
    '-p',
    String(port),
    '-U',
    'bench',
    'postgres',
  ])
  while (spawnSync(psql, words, { cwd: '/' }).status !== 0) {
    if (server.exitCode !== null) throw new Error(`the server in ${cwd} did not start`)
    await sleep(10)
  }
  const answeredAt = performance.now()
  server.kill('SIGQUIT')
  await ended
  return answeredAt
}
