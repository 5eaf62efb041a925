import { Command, CommanderError } from 'commander'
import { PgbkError } from '../errors.js'
import { version } from '../version.js'
import { createHelp, deleteHelp, demoHelp, listHelp, mainHelp, showHelp } from './help.js'
import { addConnectionOptions, addGlobalOptions, checkpointOption, type GlobalOptions } from './options.js'

/** What the command line asks for. */
export interface Invocation {
  command: 'create' | 'list' | 'show' | 'delete' | 'demo'
  ids: string[]
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
  const program = declareProgram((command, ids, own, globals) => {
    invocation = { command, ids, options: own, globals }
  })
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureOutput({ writeOut: print, writeErr: () => {}, getOutHelpWidth: () => width })
  }
  try {
    if (isLoneHelp(argv)) argv = [...argv.slice(0, -1), '--help']
    if (argv.length === 0) program.outputHelp()
    else program.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw usageError(error, program)
  }
  return invocation
}

type Found = (command: Invocation['command'], ids: string[], own: object, globals: GlobalOptions) => void

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
  const finish = (declared: Command, name: Invocation['command'], idsOf: (args: unknown[]) => string[]) => {
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
  finish(command('demo', 'a tour on a throw-away server, with no set-up', demoHelp), 'demo', () => [])
  return program
}

/** `pgbk -h` and `pgbk create -h` ask for help; `pgbk create -h db1` names a host. */
function isLoneHelp(argv: string[]): boolean {
  return argv.at(-1) === '-h'
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
