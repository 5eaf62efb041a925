import { type Command, InvalidArgumentError, Option } from 'commander'

/** Stand before or after the command. */
export interface GlobalOptions {
  root?: string
  config?: string
  identity?: string[]
  json?: boolean
  quiet?: boolean
  verbose?: boolean
  color?: boolean
}

export function addGlobalOptions(command: Command): Command {
  return command
    .optionsGroup('Global options:')
    .option(
      '-C, --root <dir>',
      'directory that holds data/ (default: that of the configuration file, else the current one)',
    )
    .option('--config <file>', 'configuration file (default: searched, see pgbk --help)')
    .option('--identity <file>', 'age identity that decrypts backups; may be repeated', collect)
    .option('--json', 'print exactly one JSON document')
    .option('-q, --quiet', 'print nothing but results and errors')
    .option('-v, --verbose', 'print more about what is done')
    .option('--no-color', 'no colours')
}

/** libpq's own options, as psql has them. A lone -h prints help. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup('Connection options (as in psql):')
    .option('-d, --dbname <name|conninfo|URI>', 'what to connect to')
    .option('-h, --host <host>', "the server's host or socket directory")
    .option('-p, --port <port>', "the server's port")
    .option('-U, --username <role>', 'role to connect as')
}

export const checkpointOption = () =>
  new Option('--checkpoint <mode>', 'begin at once, or wait for the server to spread its checkpoint').choices(
    ['fast', 'spread'],
  )

export const workingCopyOption = () =>
  new Option(
    '--working-copy <way>',
    'how the working copy is made (default: the first way that works)',
  ).choices(['auto', 'overlay', 'reflink', 'copy', 'thin'])

export const sandboxOption = () =>
  new Option('--sandbox <mode>', 'isolate the server from this machine: auto (default), or off').choices([
    'auto',
    'off',
  ])

/** What a SOURCE can be. */
export const sourceMeaning =
  'DIR, [USER@]HOST:DIR, s3://BUCKET[/PREFIX], or the name of a store (default: source of the configuration)'

/** What a STORE can be. */
export const storeMeaning = 'a store of the configuration, s3://BUCKET[/PREFIX], [USER@]HOST:DIR or DIR'

export const listFromOption = () => new Option('--from [source]', `another root: ${sourceMeaning}`)

export const runFromOption = () => new Option('--from [source]', `a backup elsewhere: ${sourceMeaning}`)

/** @throws commander's error for what is not a port. */
export function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('It is a number from 1 to 65535.')
}

const spanUnits: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 7 * 86_400 }

/** Milliseconds of `90m`, `36h`, `2d`. @throws commander's error for what is not a span. */
export function parseSpan(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
  if (Number(count) > 0) return Number(count) * (spanUnits[unit] ?? 0) * 1000
  throw new InvalidArgumentError('It is a span such as 90m, 36h or 2d.')
}

export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

export const idMeaning = 'id, a prefix of it, latest or oldest'

/** The recovery target of a copy. */
export function addTargetOptions(command: Command): Command {
  return command
    .optionsGroup('Recovery target:')
    .option('--to-time <time>', 'ISO 8601, or relative: "10 minutes ago"')
    .option('--to-lsn <lsn>', 'a position in the WAL: 16/B374D848')
    .option('--to-xid <xid>', 'the end of a transaction')
    .option('--to-name <name>', 'a restore point (pg_create_restore_point)')
    .option('--to-latest', 'the end of the WAL archive')
    .option('--to-snapshot', "the snapshot's end")
    .option('--exclusive', 'stop just before it')
    .option('--timeline <number>', 'follow this timeline (default: the newest)', parseTimeline)
}

/** @throws commander's error. */
function parseTimeline(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a number from 1 on.')
}
