import { PgbkError } from '../../errors.js'

/** ID and QUALIFIED_ID of guc-file.l, in ASCII: what else a server calls a setting could be a line of its own. */
export function isSettingName(name: string): boolean {
  return /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/.test(name)
}

/** A setting as a line of a configuration file, without its end. @throws {PgbkError} `failed` for what is no name, or no value. */
export function confLine(name: string, value: string): string {
  if (isSettingName(name)) return `${name} = ${confLiteral(value)}`
  throw new PgbkError('failed', `${JSON.stringify(name)} is no name of a setting`)
}

/** Settings as lines of a configuration file. */
export function confLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${confLine(name, value)}\n`)
    .join('')
}

/**
 * A quoted value as src/backend/utils/misc/guc-file.l reads it: doubled quotes, backslash escapes, no line breaks.
 * @throws {PgbkError} `failed` for a zero byte, which would end the line.
 */
export function confLiteral(value: string): string {
  if (value.includes('\0'))
    throw new PgbkError('failed', `${JSON.stringify(value)} has a zero byte, and cannot be a setting`)
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
  return `'${escaped}'`
}

/** Libraries as the value of a setting that lists them (SplitDirectoriesString in src/backend/utils/adt/varlena.c). */
export function libraryList(names: string[]): string {
  return names.map((name) => (/^[\w$/.-]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`)).join(', ')
}
