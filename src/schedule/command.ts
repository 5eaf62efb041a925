import type { Environment } from '../context.js'
import { PgbkError } from '../errors.js'
import { shellWord } from '../text/shell-word.js'

/** What a command line of pgbk needs to mean the same without its caller's directory and environment. */
export interface Surroundings {
  /** node and its script. */
  self: readonly string[]
  root: string
  configFile: string | undefined
  /** Of the caller: what speaks of connections and of pgbk goes along. */
  variables: Record<string, string>
}

const secrets = ['PGPASSWORD', 'PGSSLPASSWORD', 'PGOAUTHCLIENTSECRET']
const useless = [
  'PGBK_ROOT',
  'PGBK_CONFIG',
  'PGAPPNAME',
  'PGOPTIONS',
  'PGTZ',
  'PGDATESTYLE',
  'PGGEQO',
  'PGCLIENTENCODING',
]

/** Where S3 is, and where its credentials are; not these. */
const ofStores = [
  ...['AWS_PROFILE', 'AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'],
  ...['AWS_CA_BUNDLE', 'AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'NODE_EXTRA_CA_CERTS'],
  ...['AWS_ROLE_ARN', 'AWS_ROLE_SESSION_NAME', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
  ...['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'],
]
/** Of these, what is a URL, or what some take for one without its scheme: whoever is named before an `@` may have a password. */
const isUrl = /_(?:PROXY|URL|URL_S3)$/i

/**
 * The variables that a command without an environment has to be given.
 * @throws {PgbkError} `usage` for a password: a crontab is not a place for it.
 */
export function variablesFrom(env: Environment, hasStores = false): Record<string, string> {
  const secret = secrets.find((name) => env[name])
  if (secret !== undefined) throw noPassword(`the password in ${secret} would not be there`)
  const isOurs = (name: string) =>
    (/^(PG[A-Z_]+|PGBK_[A-Z_]+)$/.test(name) && !useless.includes(name)) ||
    (hasStores && ofStores.includes(name) && !(isUrl.test(name) && env[name]?.includes('@')))
  const wanted = Object.entries(env).filter(([name, value]) => isOurs(name) && value)
  return Object.fromEntries(wanted.sort() as [string, string][])
}

export function noPassword(what: string): PgbkError {
  return new PgbkError('usage', `${what}: a schedule takes no password`, {
    hint: 'Put it into ~/.pgpass of the user who runs it (HOST:PORT:*:USER:PASSWORD, mode 0600), and leave it out here.',
  })
}

/** One call of pgbk, as words. */
export function callWords(command: string[], { self, root, configFile }: Surroundings): string[] {
  return [...self, ...command, '-C', root, ...(configFile === undefined ? [] : ['--config', configFile])]
}

/**
 * Calls for sh: the first one, and, where that succeeds, each of the others, whatever becomes of the others. It fails where one of them does.
 * @throws {PgbkError} `usage` for what cannot stand in one line.
 */
export function shellCommand(commands: string[][], surroundings: Surroundings): string {
  const assignments = Object.entries(surroundings.variables).map(
    ([name, value]) => `${name}=${shellWord(value)}`,
  )
  const calls = commands.map((command) => callWords(command, surroundings).map(shellWord).join(' '))
  const [first, ...others] = calls
  const text = [
    ...(assignments.length > 0 ? [`export ${assignments.join(' ')};`] : []),
    others.length < 2
      ? calls.join(' && ')
      : `${first} && { s=0; ${others.map((call) => `${call} || s=$?; `).join('')}exit $s; }`,
  ].join(' ')
  if (/\p{Cc}/u.test(text)) {
    throw new PgbkError('usage', 'a path or a variable with a control character cannot stand in a schedule', {
      hint: 'Use another name for the root, or write the schedule by hand.',
    })
  }
  return text
}

const word = String.raw`('(?:[^']|'\\'')*'|[\w@%+=:,./-]+)`
const programs = new RegExp(`${word} ${word} create `)

/** node and its script in a line that `shellCommand` has made; none where they are not recognised. */
export function programsIn(line: string): string[] {
  const [, ...found] = programs.exec(line.replaceAll('\\%', '%')) ?? []
  return found.map((quoted) => quoted.replace(/^'|'$/g, '').replaceAll("'\\''", "'"))
}
