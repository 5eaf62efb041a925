import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkJson, type v } from '../schema.js'
import type { ProgramPlace } from '../system/program/program-environment.js'
import { runProgram } from '../system/program/run-program.js'
import { shellWord } from '../text/shell-word.js'
import { type DemoServer, demoRole } from './demo-server.js'

/** Where the demo takes place. */
export interface Tour {
  directory: string
  /** The root of the first half, and the current directory of its commands. */
  backups: string
  /** Another one, as on another machine. */
  laptop: string
  server: DemoServer
  context: Context
}

/** One sentence about what comes next, and where. */
export function headline({ context: { progress } }: Tour, sentence: string, place?: string): void {
  progress.headline(`\n${sentence}`)
  if (place !== undefined) progress.say(`\n$ cd ${place}`)
}

/** Shows a command, does the work, and shows what it has printed. */
export async function shown(tour: Tour, command: string, work: () => Promise<string>): Promise<void> {
  const { progress } = tour.context
  progress.say(`\n$ ${command}`)
  const text = (await work()).replace(/^\n|\s+$/g, '')
  if (text !== '') progress.say(text)
}

/** Runs one command of pgbk in a directory and shows it. */
export async function pgbk(tour: Tour, place: string, args: string[]): Promise<void> {
  const words = args.filter((arg) => arg !== '-q').map((arg) => (/[ ()*]/.test(arg) ? `"${arg}"` : arg))
  await shown(tour, `pgbk ${words.join(' ')}`, () => outputOf(tour, place, args))
}

/** What a command of pgbk prints: for `--json` the document, else also its messages. @throws {PgbkError} `failed`. */
export async function outputOf(tour: Tour, place: string, args: string[]): Promise<string> {
  const [node = '', ...script] = tour.context.self
  return run(tour, place, [node, ...script, ...args], `pgbk ${args.join(' ')}`)
}

/** What a command of pgbk in the first root answers in JSON. @throws {PgbkError} `failed`. */
export async function pgbkAnswer<T>(
  tour: Tour,
  args: string[],
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const { value, faults } = checkJson(schema, await outputOf(tour, tour.backups, args))
  if (faults)
    throw new PgbkError('failed', `pgbk ${args.join(' ')} answers something else: ${faults.join('; ')}`)
  return value
}

/** Asks a server by psql and shows it. */
export async function psql(
  tour: Tour,
  { host, port }: Pick<DemoServer, 'host' | 'port'>,
  ...words: string[]
): Promise<void> {
  const args = ['-h', host, '-p', String(port), '-U', demoRole, 'bookshop', ...words]
  const program = join(tour.server.bin, 'psql')
  const command = `psql ${args.map(shellWord).join(' ')}`
  await shown(tour, command, () => run(tour, tour.backups, [program, '-X', ...args], command))
}

async function run(tour: Tour, place: string, command: string[], name: string): Promise<string> {
  const [file = '', ...args] = command
  const options = { ...placeAt(tour, place), signal: tour.context.signal }
  const { status, stdout, stderr } = await runProgram(file, args, options)
  if (status !== 0) throw new PgbkError('failed', `${name} failed: ${stderr.trim()}`)
  return args.includes('--json') ? stdout : stderr + stdout
}

/** What programs of the tour have around them. */
function placeAt({ server, context }: Tour, cwd: string): ProgramPlace {
  const { host: PGHOST, port } = server
  const variables = { PGHOST, PGPORT: String(port), PGUSER: demoRole, PGBK_ROOT: cwd }
  return { env: context.env, variables, cwd }
}

/** Runs `pgbk wal receive` for as long as the work takes. @throws {PgbkError} `failed` when it ends before. */
export async function whileReceiving(tour: Tour, work: () => Promise<void>): Promise<void> {
  const ended = new AbortController()
  const over = new PgbkError('terminated', 'the tour is over')
  const [node = '', ...script] = tour.context.self
  const receiving = runProgram(node, [...script, 'wal', 'receive'], {
    ...placeAt(tour, tour.backups),
    signal: AbortSignal.any([tour.context.signal, ended.signal]),
  }).then(
    ({ stderr }) => {
      throw new PgbkError('failed', `pgbk wal receive ended: ${stderr.trim()}`)
    },
    (error) => {
      if (error !== over) throw error
    },
  )
  try {
    await Promise.race([receiving, work()])
  } finally {
    ended.abort(over)
    await receiving.catch(() => {}) // the race has told it
  }
}

/** Waits until a command succeeds: the last change of the server is on its way to the archive. */
export async function untilArchived(tour: Tour, args: string[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await outputOf(tour, tour.backups, args)
      return
    } catch (error) {
      if (attempt === 50) throw error
      await sleep(200)
    }
  }
}
