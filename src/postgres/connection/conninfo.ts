import { PgbkError } from '../../errors.js'
import { conninfoValue } from '../../text/conninfo-value.js'

/**
 * libpq's connection strings, read by the rules of its manual page ("Connection Strings", libpq-connect) and of
 * src/interfaces/libpq/fe-connect.c: `host=db1 user=me`, `postgresql://me@db1/app`, or just a database's name.
 */
export type ConnectionParameters = Record<string, string>

/** @throws {PgbkError} `usage` when libpq would not understand the text; the message never repeats it. */
export function parseConnection(text: string): ConnectionParameters {
  if (/^postgres(ql)?:\/\//.test(text)) return parseUri(text)
  if (text.includes('=')) return parseConninfo(text)
  return { dbname: text }
}

/** Writes parameters as one conninfo string. */
export function formatConninfo(parameters: ConnectionParameters): string {
  return Object.entries(parameters)
    .map(([key, value]) => `${key}=${conninfoValue(value)}`)
    .join(' ')
}

/** Whether nobody else may see the value of such a key. */
export function isSecret(key: string): boolean {
  return /password|secret|scram_/.test(key)
}

/** A connection string that can be shown: as it is, or, where it has a password, without that. */
export function withoutSecrets(text: string): string {
  try {
    const parameters = Object.entries(parseConnection(text))
    const shown = parameters.filter(([key]) => !isSecret(key))
    return shown.length === parameters.length ? text : formatConninfo(Object.fromEntries(shown))
  } catch (error) {
    // What cannot be read may have one anywhere.
    if (error instanceof PgbkError) return 'CONNECTION'
    throw error
  }
}

const pair =
  /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\[\s\S])*)'|((?:[^\s'\\]|\\[\s\S])(?:[^\s\\]|\\[\s\S])*)?)(?=\s|$)/y

function parseConninfo(text: string): ConnectionParameters {
  const parameters: ConnectionParameters = {}
  pair.lastIndex = 0
  while (pair.lastIndex < text.trimEnd().length) {
    const match = pair.exec(text)
    if (!match?.[1]) throw invalid('it is not a list of keyword=value pairs')
    parameters[match[1]] = (match[2] ?? match[3] ?? '').replace(/\\([\s\S])/g, '$1')
  }
  return parameters
}

const uri = /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/

function parseUri(text: string): ConnectionParameters {
  const match = uri.exec(text)
  if (!match) throw invalid('it is not a postgresql:// URI')
  const [, user, password, hosts = '', dbname, query] = match
  // libpq would take what is before the slash for a host, and the rest for a name that is shown.
  if (password === undefined && (dbname?.includes('@') || query?.includes('@')))
    throw invalid('an @, and in a password also a slash and a question mark, must be percent-encoded')
  const parameters: ConnectionParameters = {}
  const set = (key: string, value: string | undefined) => {
    if (value) parameters[key] = decode(value)
  }
  set('user', user)
  set('password', password)
  const places = hosts.split(',').map(splitPlace)
  set('host', places.map(({ host }) => host).join(','))
  if (places.some(({ port }) => port)) set('port', places.map(({ port }) => port).join(','))
  set('dbname', dbname)
  for (const setting of query?.split('&') ?? []) {
    const [key = '', value, ...more] = setting.split('=')
    if (!key || value === undefined || more.length > 0)
      throw invalid('its query has more, or less, than key=value between two &')
    if (key === 'ssl' && value === 'true') parameters.sslmode = 'require'
    else parameters[decode(key)] = decode(value)
  }
  return parameters
}

function splitPlace(place: string): { host: string; port: string } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(place)
  if (!match) throw invalid('its host part is not HOST:PORT')
  return { host: match[1] ?? match[2] ?? '', port: match[3] ?? '' }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('it has a wrong percent-encoding')
  }
}

/** The text itself stays out of the message: it may hold a password. */
function invalid(why: string): PgbkError {
  return new PgbkError('usage', `the connection string is not valid: ${why}`, {
    hint: "Write it as for psql -d: a database's name, 'host=db1 user=me', or postgresql://me@db1:5432/app.",
  })
}
