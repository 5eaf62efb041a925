import type { Context, Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkJson, v } from '../schema.js'
import { type ProgramOptions, runProgram } from '../system/program/run-program.js'
import { callWords, type Surroundings, shellCommand } from './command.js'

const checkSchema = v.object({
  name: v.string(),
  status: v.string(),
  text: v.string(),
  remedy: v.nullable(v.string()),
})

const schema = v.object({
  checks: v.array(checkSchema),
  config_file: v.nullable(v.string()),
  server: v.nullable(
    v.object({ host: v.string(), port: v.number(), role: v.string(), system_identifier: v.string() }),
  ),
  needed_bytes: v.nullable(v.number()),
  room_bytes: v.nullable(v.number()),
})

/** What pgbk doctor has found. */
export type Findings = v.InferOutput<typeof schema>

interface Rehearsal {
  surroundings: Surroundings
  /** Arguments of the connection. */
  connection: string[]
  /** All that cron gives a command. */
  environment: Record<string, string>
  stores: RehearsedStore[]
}

/** A store that backups are brought to by themselves, or that is pruned. */
export interface RehearsedStore {
  name: string
  isS3: boolean
}

/**
 * Has pgbk doctor look at everything in the surroundings that a scheduled line will have, and once more in the caller's own. A store that
 * is well here alone is a warning: the backup would be made all the same.
 * @returns what it found in those of the line.
 * @throws {PgbkError} `check-failed` when a backup would not work there, or would be one of something else.
 */
export async function rehearse(rehearsal: Rehearsal, context: Context): Promise<Findings> {
  const { surroundings, connection, environment, stores } = rehearsal
  const { HOME = '/', SHELL = '/bin/sh' } = environment
  const words = ['doctor', '--json', ...connection]
  const { env, cwd, signal } = context
  const [file = '', ...args] = callWords(words, surroundings)
  const [there, here] = await Promise.all([
    ask(SHELL, ['-c', shellCommand([words], surroundings)], {
      kind: 'own',
      env: environment,
      cwd: HOME,
      signal,
    }),
    ask(file, args, { kind: 'own', env, cwd, signal }),
  ])
  const faults = [...failuresOf(there, here), ...differences(there, here)]
  for (const text of storesLost(there, here, stores)) context.progress.warn(text)
  if (faults.length === 0) return there
  throw new PgbkError(
    'check-failed',
    `under cron it would not work: ${faults.length} of the checks of pgbk doctor`,
    {
      hint: `${faults.join('\n')}\nNothing was written.`,
    },
  )
}

interface Asked extends ProgramOptions {
  env: Environment
}

async function ask(file: string, args: string[], options: Asked): Promise<Findings> {
  const { env } = options
  const { stdout, stderr } = await runProgram(file, args, options)
  const { value } = checkJson(schema, stdout)
  if (value) return value
  throw new PgbkError('check-failed', `under cron pgbk does not even start: ${lastLine(stderr)}`, {
    hint: `It was called by ${file} with PATH=${env.PATH} and HOME=${env.HOME}.`,
  })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'it says nothing'
}

function failuresOf(there: Findings, here: Findings): string[] {
  return there.checks
    .filter(({ status }) => status === 'failed')
    .map(({ name, text, remedy }) => {
      const isWellHere = here.checks.some((one) => one.name === name && one.status === 'ok')
      const note = isWellHere ? ' (here it is well: what differs is the environment)' : ''
      return `- ${name}${note}: ${text}${remedy === null ? '' : `\n${indented(remedy)}`}`
    })
}

/** What it takes to reach a store is here, and not under cron. */
function storesLost(there: Findings, here: Findings, stores: RehearsedStore[]): string[] {
  return stores.flatMap(({ name: store, isS3 }) => {
    const faultIn = ({ checks }: Findings) =>
      checks.find(({ name, status }) => name.startsWith(`${store}: `) && isFault(name, status))
    const fault = faultIn(there)
    if (fault === undefined || faultIn(here) !== undefined) return []
    const remedy = isS3
      ? 'Its credentials have to be in a file (~/.aws/credentials), and a proxy without a password: the crontab takes neither'
      : 'cron has no agent of ssh, and no terminal'
    return `under cron the store ${store} is not reached, though here it is: ${fault.text}. ${remedy}`
  })
}

/** That a store's backups are not encrypted is the same everywhere. */
function isFault(name: string, status: string): boolean {
  return status === 'warning' && !name.endsWith(': keys')
}

/** The same line must not mean another server or another configuration. */
function differences(there: Findings, here: Findings): string[] {
  const places = [there, here].map(({ server }) =>
    server
      ? `${server.role} at ${server.host}:${server.port}, cluster ${server.system_identifier}`
      : undefined,
  )
  const files = [there, here].map(({ config_file }) => config_file ?? 'none')
  return [
    ...(places[0] && places[1] && places[0] !== places[1]
      ? [`- server: under cron it is ${places[0]}, here ${places[1]}`]
      : []),
    ...(files[0] === files[1]
      ? []
      : [`- configuration: under cron it is ${files[0]}, here ${files[1]}; name it with --config`]),
  ]
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ')
}
