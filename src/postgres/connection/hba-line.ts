import { identifier } from '../sql/identifier.js'

export interface HbaRule {
  /** As in the file: `replication`, or `postgres,replication`. */
  databases: string
  role: string
  /** The client's; undefined for one that comes over the socket. */
  address: string | undefined
  /** The operating-system user of the client, if it is known. */
  systemUser: string | undefined
  /** Of the server; where it is not known, one of the newest. */
  major?: number
}

/** The line of pg_hba.conf that lets a role in. Over the socket `peer` is for the operating-system user of the same name. */
export function hbaLine({ databases, role, address, systemUser, major }: HbaRule): string {
  const who = `${databases}  ${hbaName(role, major)}`
  if (address === undefined) return `local  ${who}  ${role === systemUser ? 'peer' : 'scram-sha-256'}`
  return `host  ${who}  ${address}/${address.includes(':') ? 128 : 32}  scram-sha-256`
}

/**
 * A role's or a database's name, and none of the words that mean something else there (the manual, "The pg_hba.conf File"). From
 * PostgreSQL 16 on, what begins with a slash is a regular expression, quoted or not (regcomp_auth_token() in src/backend/libpq/hba.c).
 */
export function hbaName(name: string, major = 16): string {
  if (name.startsWith('/') && major >= 16)
    return identifier(`/^${name.replaceAll(/[!-/:-@[-`{-~]/g, '\\$&')}$`)
  return /^(replication|sameuser|samerole|samegroup)$/.test(name) ? `"${name}"` : identifier(name)
}

/** What to do with such lines. */
export function hbaHint(lines: string[]): string {
  return [
    `Add ${lines.length === 1 ? 'this line' : 'the line that fits'} to the server's pg_hba.conf, above any that rejects it (SHOW hba_file tells where that is):`,
    ...lines.map((line) => `  ${line}`),
    'then, as a superuser:  SELECT pg_reload_conf();',
  ].join('\n')
}
