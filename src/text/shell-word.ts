import { PgbkError } from '../errors.js'
import { conninfoValue } from './conninfo-value.js'
import { isRaw, percentEncoded } from './raw-text.js'

/**
 * A text as one word of a shell's command line, as in messages that show a command. A first `=` is quoted, for zsh's sake.
 * @throws {PgbkError} `failed` for a zero byte, which no word has.
 */
export function shellWord(text: string): string {
  if (text.includes('\0'))
    throw new PgbkError('failed', `${JSON.stringify(text)} has a zero byte, and cannot stand in a command`)
  return /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * A database's name as the last word of a psql command line, where one of some names would be an option or a connection string
 * (PQconnectdbParams: one that has `=` in it, or begins like a URI); a raw one (raw-text.ts) can stand in a URI only.
 */
export function databaseWord(name: string): string {
  if (isRaw(name)) return shellWord(`postgresql:///${percentEncoded(name)}`)
  if (!/^-|=|^postgres(ql)?:\/\/|^$/.test(name)) return shellWord(name)
  return shellWord(`dbname=${conninfoValue(name)}`)
}
