import { join } from 'node:path'
import { readSmallText } from '../../system/files/read-small.js'
import type { Connection } from './connection.js'
import { type ConnectionParameters, isSecret } from './conninfo.js'

/** Far more than a service file has. */
const mostBytes = 1 << 20

/**
 * The same connection without its service, where that says how hosts are to be chosen in a way that libpq before 16 takes for a fault
 * of the whole file. As it was where there is none such, or it cannot be read; it is never needed for a connection to be right.
 */
export function withoutChoosingService(connection: Connection): Connection {
  const { service, servicefile, ...parameters } = connection.parameters
  const { PGSERVICE, PGSERVICEFILE, ...env } = connection.env
  const name = service ?? PGSERVICE
  const path =
    servicefile ?? PGSERVICEFILE ?? (env.HOME === undefined ? undefined : join(env.HOME, '.pg_service.conf'))
  if (name === undefined || path === undefined) return connection
  const { password, ...said } = parametersOf(name, path) ?? {}
  if (said.load_balance_hosts === undefined || Object.keys(said).some(isSecret)) return connection
  return {
    parameters: { ...said, ...parameters },
    // Of a service it comes before PGPASSWORD.
    env: password === undefined ? env : { ...env, PGPASSWORD: password },
  }
}

/** Read as libpq does (parseServiceFile in src/interfaces/libpq/fe-connect.c): nothing is quoted. */
function parametersOf(service: string, path: string): ConnectionParameters | undefined {
  const lines = textOf(path)
    .split('\n')
    .map((line) => line.trim())
  const start = lines.indexOf(`[${service}]`)
  if (start === -1) return undefined
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => line.startsWith('['))
  const own = rest
    .slice(0, end === -1 ? undefined : end)
    .filter((line) => line !== '' && !line.startsWith('#'))
  const pairs = own.map((line) => /^([a-z_]+)=(.*)$/.exec(line))
  // An LDAP server has more of them.
  if (pairs.includes(null)) return undefined
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']).reverse())
}

/** Empty where there is no such file, or none that may be read. */
function textOf(path: string): string {
  try {
    return readSmallText(path, mostBytes)
  } catch {
    return ''
  }
}
