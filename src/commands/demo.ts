import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { readInstances } from '../instances/instance.js'
import { stopServer } from '../instances/instance-server.js'
import { connectionFrom, programEnvironment } from '../postgres/connection.js'
import { choosePort } from '../postgres/port.js'
import { query } from '../postgres/psql.js'
import { runProgram } from '../program/run-program.js'
import { type DemoServer, demoRole, startDemoServer, startPlainServer } from '../run/demo-server.js'
import { shellWord } from '../shell-word.js'

export interface DemoResult {
  duration_ms: number
  /** Whether the backup still verifies after all that was done with it. */
  unharmed: boolean
}

/** The tour: every command on a throw-away server, with its real output. Nothing is left behind. */
export async function demo(settings: Settings, context: Context): Promise<DemoResult> {
  const startedAt = context.now().getTime()
  if (context.user().uid === 0) context.become(settings.run_as)
  const directory = mkdtempSync(join(context.env.TMPDIR || '/tmp', 'pgbk-demo-'))
  const [backups, laptop] = [join(directory, 'backups'), join(directory, 'laptop')]
  for (const place of [backups, laptop]) mkdirSync(place)
  let server: DemoServer | undefined
  try {
    context.progress.step('starting a throw-away server')
    server = await startDemoServer(directory, settings.bin_dir, context)
    await giveTour({ directory, backups, laptop, server, context })
    return { duration_ms: context.now().getTime() - startedAt, unharmed: true }
  } finally {
    for (const { layout } of readInstances(backups).instances) await stopServer(layout.data, context.urgent)
    await server?.process.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Tour {
  directory: string
  /** The root of the first half, and the current directory of its commands. */
  backups: string
  /** Another one, as on another machine. */
  laptop: string
  server: DemoServer
  context: Context
}

async function giveTour(tour: Tour): Promise<void> {
  const { progress } = tour.context
  const { server, backups, laptop } = tour
  progress.say(`A PostgreSQL ${server.major} server with a small bookshop runs in ${tour.directory}.`)
  const run = (sql: string) => ['local-run', '-q', '--', 'psql', '-c', sql]

  headline(tour, 'Back it up. pgbk first says which server it reached.', backups)
  await pgbk(tour, backups, ['create', '--label', 'first try'])
  headline(tour, 'What there is, and everything about it:')
  await pgbk(tour, backups, ['list'])
  await pgbk(tour, backups, ['show', 'latest'])

  headline(tour, 'Any backup answers SQL at once, without a copy.')
  await pgbk(tour, backups, run(salesByTitle))
  headline(tour, 'A disaster happens only in the working copy; the next run does not know of it.')
  await pgbk(tour, backups, run('DROP TABLE orders CASCADE'))
  await pgbk(tour, backups, run('SELECT count(*) FROM orders'))

  const [backup] = JSON.parse(await output(tour, backups, ['list', '--json'])).backups
  headline(tour, 'Production on a laptop: over ssh, or as here from a directory.', laptop)
  await pgbk(tour, laptop, ['download', 'latest', '--from', '../backups'])
  headline(tour, 'The copy needs no pgbk: stock PostgreSQL opens it, and may change it.')
  await openCopy(tour, join(laptop, 'data/backup', backup.id, 'snapshot'))

  headline(tour, 'A server that lasts, restored from the backup:', backups)
  await restore(tour)

  headline(tour, 'After all that, the backup is as it was:')
  await shown(tour, `cd data/backup/${backup.id}/snapshot && pg_verifybackup data`, async () => {
    const { status, stdout, stderr } = await runProgram(join(server.bin, 'pg_verifybackup'), ['data'], {
      env: programEnvironment(tour.context.env),
      cwd: join(backup.directory, 'snapshot'),
      signal: tour.context.signal,
    })
    if (status !== 0) throw new PgbkError('damaged', `the tour has harmed the backup: ${stderr.trim()}`)
    return stdout + stderr
  })
}

const salesByTitle = 'SELECT title, count(*) FROM sales GROUP BY title'

/** One sentence about what comes next, and where. */
function headline({ context: { progress } }: Tour, sentence: string, place?: string): void {
  progress.headline(`\n${sentence}`)
  if (place !== undefined) progress.say(`\n$ cd ${place}`)
}

/** Runs one command of pgbk in a directory and shows it. */
async function pgbk(tour: Tour, place: string, args: string[]): Promise<void> {
  const words = args.filter((arg) => arg !== '-q').map((arg) => (arg.includes(' ') ? `"${arg}"` : arg))
  await shown(tour, `pgbk ${words.join(' ')}`, () => output(tour, place, args))
}

async function output({ server, context }: Tour, place: string, args: string[]): Promise<string> {
  const [node = '', ...script] = context.self
  const env = {
    ...programEnvironment(context.env),
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: demoRole,
    PGBK_ROOT: place,
  }
  const { signal } = context
  const { status, stdout, stderr } = await runProgram(node, [...script, ...args], { env, cwd: place, signal })
  if (status !== 0) throw new PgbkError('failed', `pgbk ${args.join(' ')} failed: ${stderr.trim()}`)
  return args.includes('--json') ? stdout : stderr + stdout
}

async function shown({ context }: Tour, command: string, work: () => Promise<string>): Promise<void> {
  context.progress.say(`\n$ ${command}`)
  const text = await work()
  context.progress.say(text.replace(/^\n|\s+$/g, ''))
}

/** What anybody can do without pgbk: start PostgreSQL in a snapshot, ask it something, do it harm. */
async function openCopy(tour: Tour, snapshot: string): Promise<void> {
  const { directory, server, context } = tour
  const port = await choosePort()
  context.progress.say(`\n$ cd ${snapshot}\n$ postgres -D conf -p ${port} &`)
  const command = [join(server.bin, 'postgres'), '-D', 'conf', '-p', String(port)]
  const psql = psqlAt(tour, port)
  const opened = await startPlainServer(command, snapshot, join(directory, 'copy.log'), psql, context)
  try {
    await ask(tour, port, 'SELECT count(*) FROM orders')
    await ask(tour, port, 'TRUNCATE orders')
  } finally {
    await opened.stop()
  }
}

async function restore(tour: Tour): Promise<void> {
  const { backups } = tour
  await pgbk(tour, backups, ['restore', '--name', 'bookshop-2'])
  const [instance] = JSON.parse(await output(tour, backups, ['instance', 'list', '--json'])).instances
  await ask(tour, instance.port, 'SELECT count(*) FROM orders')
  await pgbk(tour, backups, ['instance', 'list'])
  await pgbk(tour, backups, ['instance', 'stop', 'bookshop-2'])
  await pgbk(tour, backups, ['instance', 'delete', '--yes', 'bookshop-2'])
}

function psqlAt({ server, context }: Tour, port: number) {
  const place = { host: '/tmp', port: String(port), username: demoRole, dbname: 'bookshop' }
  return { ...server.psql, connection: connectionFrom(place, undefined, context.env, 'pgbk_demo') }
}

async function ask(tour: Tour, port: number, statement: string): Promise<void> {
  const command = `psql -h /tmp -p ${port} -U ${demoRole} bookshop -c ${shellWord(statement)}`
  await shown(tour, command, async () => {
    const answer = await query(psqlAt(tour, port), `RESET search_path;\n${statement};`)
    return answer || (statement.split(' ')[0] === 'TRUNCATE' ? 'TRUNCATE TABLE' : '')
  })
}
