import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { connectionFrom, programEnvironment } from '../postgres/connection.js'
import { choosePort } from '../postgres/port.js'
import { query } from '../postgres/psql.js'
import { runProgram } from '../program/run-program.js'
import { type DemoServer, demoRole, startDemoServer, startPlainServer } from '../run/demo-server.js'

export interface DemoResult {
  duration_ms: number
  /** Whether the backup still verifies after all that was done with a copy of it. */
  unharmed: boolean
}

/** The tour: every command on a throw-away server, with its real output. Nothing is left behind. */
export async function demo(settings: Settings, context: Context): Promise<DemoResult> {
  const startedAt = context.now().getTime()
  if (context.user().uid === 0) context.become(settings.run_as)
  const directory = mkdtempSync(join(context.env.TMPDIR || '/tmp', 'pgbk-demo-'))
  const tour = { directory, root: join(directory, 'backups'), context }
  let server: DemoServer | undefined
  try {
    context.progress.step('starting a throw-away server')
    server = await startDemoServer(directory, settings.bin_dir, context)
    await giveTour(tour, server)
    return { duration_ms: context.now().getTime() - startedAt, unharmed: true }
  } finally {
    await server?.process.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Tour {
  directory: string
  root: string
  context: Context
}

async function giveTour(tour: Tour, server: DemoServer): Promise<void> {
  const { progress } = tour.context
  progress.say(`A PostgreSQL ${server.major} server with a small bookshop is running in ${tour.directory}.`)

  await pgbk(tour, server, 'A backup is made with one command, which says first which server it reached.', [
    'create',
    '--label',
    'my first backup',
  ])
  await pgbk(tour, server, 'It is a directory, listed because it is whole.', ['list'])
  await pgbk(tour, server, 'Everything that is known about it:', ['show', 'latest'])

  const query = (sql: string) => ['local-run', '--', 'psql', '-c', sql]
  await pgbk(
    tour,
    server,
    'Any backup answers SQL at once, without a copy and without harm. First a question:',
    query('SELECT title, count(*) FROM books JOIN orders ON book = books.id GROUP BY title'),
  )
  await pgbk(
    tour,
    server,
    'Then a disaster, which happens only in the working copy:',
    query('DROP TABLE orders'),
  )
  await pgbk(tour, server, 'The next run does not know of it:', query('SELECT count(*) FROM orders'))

  const [backup] = JSON.parse(await output(tour, server, ['list', '--json'])).backups
  await openCopy(tour, server, backup.directory)
  progress.say('\nAfter all that, the backup is as it was:\n')
  await shown(tour, `cd ${backup.directory}/snapshot && pg_verifybackup data`, async () => {
    const { stdout, stderr } = await runProgram(join(server.bin, 'pg_verifybackup'), ['data'], {
      env: programEnvironment(tour.context.env),
      cwd: join(backup.directory, 'snapshot'),
      signal: tour.context.signal,
    })
    return stdout + stderr
  })
}

/** Runs one command of pgbk and shows it. */
async function pgbk(tour: Tour, server: DemoServer, sentence: string, args: string[]): Promise<void> {
  tour.context.progress.say(`\n${sentence}\n`)
  await shown(tour, `pgbk ${args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ')}`, () =>
    output(tour, server, args),
  )
}

async function output({ root, context }: Tour, server: DemoServer, args: string[]): Promise<string> {
  const [node = '', ...script] = context.self
  const [name = '', ...rest] = args
  const env = {
    ...programEnvironment(context.env),
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: demoRole,
  }
  const { status, stdout, stderr } = await runProgram(node, [...script, name, '-C', root, ...rest], {
    env,
    signal: context.signal,
  })
  if (status !== 0) throw new PgbkError('failed', `pgbk ${args.join(' ')} failed: ${stderr.trim()}`)
  return args.includes('--json') ? stdout : stderr + stdout
}

async function shown(
  { context: { progress } }: Tour,
  command: string,
  work: () => Promise<string>,
): Promise<void> {
  progress.say(`  $ ${command}`)
  const text = await work()
  progress.say(text.trimEnd().replace(/^(?=.)/gm, '  '))
}

/** What anybody can do without pgbk: copy the directory, start PostgreSQL in it, ask it something, do it harm. */
async function openCopy(tour: Tour, server: DemoServer, backup: string): Promise<void> {
  const { directory, context } = tour
  const copy = join(directory, 'copy')
  const port = await choosePort()
  context.progress.say(
    '\nStock PostgreSQL opens it. Here in a copy, because the database may then be changed:\n',
  )
  context.progress.say(`  $ cp -a ${backup} ${copy}\n  $ cd ${copy}/snapshot && postgres -D conf -p ${port}`)
  cpSync(backup, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  const connection = connectionFrom(
    { host: '/tmp', port: String(port), username: demoRole, dbname: 'bookshop' },
    undefined,
    context.env,
    'pgbk_demo',
  )
  const psql = { ...server.psql, connection }
  const command = [join(server.bin, 'postgres'), '-D', 'conf', '-p', String(port)]
  const opened = await startPlainServer(
    command,
    join(copy, 'snapshot'),
    join(directory, 'copy.log'),
    psql,
    context,
  )
  try {
    for (const statement of ['SELECT count(*) FROM orders;', 'DELETE FROM orders;']) {
      await shown(tour, `psql -h /tmp -p ${port} -U ${demoRole} bookshop -c "${statement}"`, async () => {
        return (await query(psql, `RESET search_path;\n${statement}`)) || 'DELETE 20000'
      })
    }
  } finally {
    await opened.stop()
  }
}
