import type { Command, Option } from 'commander'

/** What stands on a command line where a name is asked for. */
export type ValueKind = 'nothing' | 'word' | 'file' | 'backup' | 'name' | readonly string[]

export interface OptionShape {
  /** `-C`, `--root`. */
  flags: string[]
  description: string
  /** What comes after it. */
  value: ValueKind
}

/** One command, or a word that stands before others, for the completion of a shell. */
export interface CommandShape {
  /** `instance stop`; empty for pgbk itself. */
  words: string
  description: string
  options: OptionShape[]
  /** What its arguments are. */
  takes: ValueKind
  /** The words that may follow, with their descriptions. */
  next: { word: string; description: string }[]
}

/** All commands as they are declared, pgbk itself first; a command with another name is there twice. */
export function shapesOf(program: Command): CommandShape[] {
  return shapesBelow(program, [])
}

function shapesBelow(command: Command, words: string[]): CommandShape[] {
  const children = command.commands.filter((child) => child.name() !== 'help')
  const own: CommandShape = {
    words: words.join(' '),
    description: command.description(),
    options: [...command.options.map(optionShape), help],
    takes: argumentKind(command),
    next: children.map((child) => ({ word: child.name(), description: child.description() })),
  }
  const below = children.flatMap((child) =>
    [child.name(), ...child.aliases()].flatMap((name) => shapesBelow(child, [...words, name])),
  )
  return [own, ...below]
}

const help: OptionShape = { flags: ['--help'], description: 'print help', value: 'nothing' }

function optionShape({
  short,
  long,
  description,
  argChoices,
  required,
  optional,
  flags,
}: Option): OptionShape {
  const names = [short, long].filter((flag) => flag !== undefined)
  const takesValue = required || optional
  return { flags: names, description, value: argChoices ?? (takesValue ? kindNamed(flags) : 'nothing') }
}

function kindNamed(text: string): ValueKind {
  return /[<[](dir|file|directory|source|path)/i.test(text) ? 'file' : 'word'
}

/** Arguments are told apart by how the help names them. */
function argumentKind({ registeredArguments }: Command): ValueKind {
  const [first] = registeredArguments
  if (!first) return 'nothing'
  if (first.argChoices) return first.argChoices
  if (first.name() === 'shell') return ['bash', 'zsh', 'fish']
  if (/^id/.test(first.name())) return 'backup'
  return /^name/.test(first.name()) ? 'name' : kindNamed(`<${first.name()}>`)
}

/** What comes after each option, whichever command it belongs to. */
export function valuesOf(shapes: CommandShape[]): OptionShape[] {
  const known = new Map<string, OptionShape>()
  for (const option of shapes.flatMap(({ options }) => options))
    for (const flag of option.flags) if (!known.has(flag)) known.set(flag, { ...option, flags: [flag] })
  return [...known.values()].filter(({ value }) => value !== 'nothing')
}

/** Words after which another one names the command. */
export function groupsIn(shapes: CommandShape[]): string[] {
  return shapes.filter(({ words, next }) => words !== '' && next.length > 0).map(({ words }) => words)
}
