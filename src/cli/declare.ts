import { Command, CommanderError } from 'commander'
import { PgbkError } from '../errors.js'
import { version } from '../version.js'
import { type AnswerForm, answerForm } from './call/answer-form.js'
import type { CommandSpec, Invocation } from './call/command-spec.js'
import { addGlobalOptions, type GlobalOptions } from './call/options.js'
import { commandSpecs, groups } from './commands.js'
import { mainHelp } from './main-help.js'

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
  const program = declareProgram((found) => {
    invocation = { ...found, words }
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
    if (error.exitCode !== 0)
      throw error.code === 'commander.help' ? noCommand(args, program) : usageError(error, program)
  }
  return invocation
}

/**
 * How a call that commander cannot understand wants to be told so, as far as it can: commander reads it once more, and forgives whatever is
 * unknown, wrong or too much. So an option's value is never taken for an option.
 */
export function answerFormOf(argv: string[]): AnswerForm {
  const program = declareProgram(() => {})
  let last = program
  for (const command of withSubcommands(program)) {
    if (command !== program && command.commands.length > 0) addGlobalOptions(command)
    command
      .exitOverride()
      .configureOutput({ writeOut: () => {}, writeErr: () => {} })
      .allowUnknownOption()
      .allowExcessArguments()
      .hook('preSubcommand', (_, found) => {
        last = found
      })
    for (const part of [...command.options, ...command.registeredArguments]) delete part.parseArg
  }
  try {
    program.parse(splitCommand(argv).args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
  }
  return answerForm({ options: last.opts(), globals: mergeGlobals(program.opts(), last.opts()) })
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

/** @throws {PgbkError} `usage` for options, or a COMMAND, that the command cannot take together. */
export function checkInvocation(invocation: Invocation): void {
  const { spec, words } = invocation
  const fault = spec.faultOf ? spec.faultOf(invocation) : words && `${spec.name} takes no COMMAND after --`
  if (fault !== undefined) throw new PgbkError('usage', fault, { hint: `See pgbk ${spec.name} --help.` })
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

type FoundInvocation = Omit<Invocation, 'words'>

function declareProgram(found: (invocation: FoundInvocation) => void): Command {
  const program = new Command('pgbk')
    .description('Physical backups of a PostgreSQL server, each one a directory that stock PostgreSQL opens.')
    .usage('[options] <command>')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .enablePositionalOptions()
  addGlobalOptions(program).addHelpText('after', mainHelp)
  for (const spec of commandSpecs) declareCommand(spec, program, found)
  return program
}

function declareCommand(
  spec: CommandSpec,
  program: Command,
  found: (invocation: FoundInvocation) => void,
): void {
  const [name = '', ...group] = spec.name.split(' ').reverse()
  const parent = group[0] === undefined ? program : groupOf(group[0], program)
  const command = subcommand(parent, name, spec.description, spec.help)
  addGlobalOptions(spec.declare?.(command) ?? command).action((...args: unknown[]) => {
    // commander adds the options and the command itself; an argument that may be repeated is a list.
    const ids = args
      .slice(0, -2)
      .flat()
      .filter((arg) => arg !== undefined) as string[]
    found({
      spec,
      ids,
      options: command.opts<object>(),
      globals: mergeGlobals(program.opts(), command.opts()),
      program,
    })
  })
}

function groupOf(name: string, program: Command): Command {
  const known = program.commands.find((command) => command.name() === name)
  const { description = '', help } = groups[name] ?? {}
  return known ?? subcommand(program, name, description, help)
}

function subcommand(parent: Command, name: string, description: string, help = ''): Command {
  return parent
    .command(name)
    .description(description)
    .helpOption('--help', 'print help')
    .addHelpText('after', help)
}

function mergeGlobals(before: GlobalOptions, after: GlobalOptions): GlobalOptions {
  const identity = [...(before.identity ?? []), ...(after.identity ?? [])]
  const color = before.color !== false && after.color !== false
  return { ...before, ...after, color, ...(identity.length > 0 && { identity }) }
}

/** commander would print help; but nothing was asked for that can be done. */
function noCommand(args: string[], program: Command): PgbkError {
  if (args[0] === 'help')
    return new PgbkError('usage', `there is no command ${JSON.stringify(args[1])}`, {
      hint: 'See pgbk --help.',
    })
  const group = program.commands.find((one) => one.commands.length > 0 && args.includes(one.name()))
  if (!group) return new PgbkError('usage', 'no command is named', { hint: 'See pgbk --help.' })
  const names = group.commands.map((command) => `pgbk ${group.name()} ${command.name()}`)
  return new PgbkError('usage', `${group.name()} alone does nothing`, {
    hint: `There are ${names.join(', ')}. See pgbk ${group.name()} --help.`,
  })
}

function usageError(error: CommanderError, program: Command): PgbkError {
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = more.join(' ').replace(/^\((.*)\)$/, '$1')
  return new PgbkError('usage', message.replace(/\.$/, ''), {
    hint: [suggestion, `See ${program.name()} --help.`].filter(Boolean).join(' '),
  })
}
