import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { connectionFrom } from '../postgres/connection/connection.js'
import { query } from '../postgres/connection/psql.js'
import { stopServer } from '../postgres/local/instance-server.js'
import { choosePort } from '../postgres/local/port.js'
import { sql } from '../postgres/sql/sql.js'
import { readInstances } from '../restore/instance/instance.js'
import { v } from '../schema.js'
import { runProgram } from '../system/program/run-program.js'
import { type DemoServer, demoRole, startDemoServer, startPlainServer } from './demo-server.js'
import {
  headline,
  pgbk,
  pgbkAnswer,
  psql,
  shown,
  type Tour,
  untilArchived,
  whileReceiving,
} from './demo-tour.js'

export interface DemoResult {
  duration_ms: number
  /** Whether the backup still verifies after all that was done with it. */
  unharmed: boolean
}

/** The tour: every command on a throw-away server, with its real output. Nothing is left behind. */
export async function demo({ settings, context }: Task): Promise<DemoResult> {
  const startedAt = context.now().getTime()
  const directory = mkdtempSync(join(context.env.TMPDIR || '/tmp', 'pgbk-demo-'))
  const [backups, laptop] = [join(directory, 'backups'), join(directory, 'laptop')]
  for (const place of [backups, laptop]) mkdirSync(place)
  let server: DemoServer | undefined
  try {
    context.progress.step('starting a throw-away server')
    server = await startDemoServer(directory, settings.bin_dir, context)
    const tour = { directory, backups, laptop, server, context }
    context.progress.say(`A PostgreSQL ${server.major} server with a small bookshop runs in ${directory}.`)
    await whileReceiving(tour, () => giveTour(tour))
    return { duration_ms: context.now().getTime() - startedAt, unharmed: true }
  } finally {
    for (const { layout } of readInstances(backups).instances) await stopServer(layout.data, context.urgent)
    await server?.process.stop(context)
    rmSync(directory, { recursive: true, force: true })
  }
}

const directory = v.string()
const listed = v.object({ backups: v.tuple([v.object({ id: v.string(), directory })]) })
const restored = v.object({ instances: v.tuple([v.object({ directory, port: v.number() })]) })

async function giveTour(tour: Tour): Promise<void> {
  const { backups, laptop } = tour
  const run = (sql: string) => ['local-run', '-q', '--', 'psql', '-c', sql]

  headline(tour, 'Back it up. pgbk first says which server it reached.', backups)
  await pgbk(tour, backups, ['create', '--label', 'first try'])
  headline(tour, 'What there is, and everything about it:')
  await pgbk(tour, backups, ['list'])
  await pgbk(tour, backups, ['show', 'latest'])

  headline(tour, 'Any backup answers SQL at once, and stays as it is.')
  await pgbk(tour, backups, run('SELECT title, count(*) FROM sales GROUP BY title'))
  headline(tour, 'A disaster happens only in the working copy; the next run does not know of it.')
  await pgbk(tour, backups, run('DROP TABLE orders CASCADE'))
  await pgbk(tour, backups, run('SELECT count(*) FROM orders'))

  headline(tour, 'Now in production. "pgbk wal receive" runs all the time, so no moment is lost.')
  await undoDisaster(tour)

  const [backup] = (await pgbkAnswer(tour, ['list', '--json'], listed)).backups
  headline(tour, 'Production on a laptop: over ssh, or as here from a directory.', laptop)
  await pgbk(tour, laptop, ['download', 'latest', '--from', '../backups'])
  headline(tour, 'The copy needs no pgbk: stock PostgreSQL opens it, and may change it.')
  await openCopy(tour, join(laptop, 'data/backup', backup.id, 'snapshot'))

  headline(tour, 'A server that lasts, restored from the backup:', backups)
  await restore(tour)

  headline(tour, 'After all that, the backup is as it was:')
  await verify(tour, backup)
}

/** The story of the dropped table: find the moment, rewind a run to just before it, bring the table back. */
async function undoDisaster(tour: Tour): Promise<void> {
  const { server, backups } = tour
  await query(server.psql, sql`SELECT pg_catalog.pg_sleep(1.1);`)
  const before = (await query(server.psql, secondNow)).trim()
  await psql(tour, server, '-c', 'DROP TABLE orders CASCADE')
  const run = ['local-run', '--to-time', before]
  await untilArchived(tour, [...run, '--dry-run'])
  await pgbk(tour, backups, [...run, '--', 'psql', '-c', 'SELECT count(*) FROM orders'])
  await pgbk(tour, backups, [...run, '-q', '--', 'pg_dump', '-t', 'orders', '-t', 'sales', '-f', 'lost.sql'])
  await psql(tour, server, '-q', '-o', '/dev/null', '-f', 'lost.sql')
  await psql(tour, server, '-c', 'SELECT count(*) FROM orders')
}

const secondNow = sql`SELECT pg_catalog.to_char(pg_catalog.date_trunc('second', pg_catalog.clock_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"');`

/** What anybody can do without pgbk: start PostgreSQL in a snapshot, ask it something, do it harm. */
async function openCopy(tour: Tour, snapshot: string): Promise<void> {
  const { directory, server, context } = tour
  const port = await choosePort()
  context.progress.say(`\n$ cd ${snapshot}\n$ postgres -D conf -p ${port} &`)
  const place = { host: '/tmp', port: String(port), username: demoRole, dbname: 'bookshop' }
  const connection = connectionFrom(place, undefined, context.env, 'pgbk_demo')
  const command = [join(server.bin, 'postgres'), '-D', 'conf', '-p', String(port)]
  const psqlThere = { ...server.psql, connection }
  const log = join(directory, 'copy.log')
  const opened = await startPlainServer({ command, cwd: snapshot, log, psql: psqlThere }, context)
  try {
    await psql(tour, { host: '/tmp', port }, '-c', 'SELECT count(*) FROM orders')
    await psql(tour, { host: '/tmp', port }, '-c', 'TRUNCATE orders')
  } finally {
    await opened.stop(context)
  }
}

async function restore(tour: Tour): Promise<void> {
  const { backups } = tour
  await pgbk(tour, backups, ['restore', '--name', 'bookshop-2'])
  const [instance] = (await pgbkAnswer(tour, ['instance', 'list', '--json'], restored)).instances
  await psql(
    tour,
    { host: join(instance.directory, 'run'), port: instance.port },
    '-c',
    'SELECT count(*) FROM orders',
  )
  await pgbk(tour, backups, ['instance', 'stop', 'bookshop-2'])
  await pgbk(tour, backups, ['instance', 'delete', '--yes', 'bookshop-2'])
}

async function verify(tour: Tour, backup: { id: string; directory: string }): Promise<void> {
  await shown(tour, `cd data/backup/${backup.id}/snapshot && pg_verifybackup data`, async () => {
    const { status, stdout, stderr } = await runProgram(join(tour.server.bin, 'pg_verifybackup'), ['data'], {
      env: tour.context.env,
      cwd: join(backup.directory, 'snapshot'),
      signal: tour.context.signal,
    })
    if (status !== 0) throw new PgbkError('damaged', `the tour has harmed the backup: ${stderr.trim()}`)
    return stdout + stderr
  })
}
