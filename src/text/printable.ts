import { PgbkError } from '../errors.js'

/** What a terminal would obey, or show as more than one line. */
const commands = /\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/gu

/** One line of text from a record or a server, without anything that a terminal would take for a command. */
export function printable(text: string): string {
  return text.replace(commands, '?')
}

/** The same for every text in a value that JSON could have. */
export function printableValues<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T
  if (Array.isArray(value)) return value.map(printableValues) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, printableValues(one)])) as T
}

const longest = 200

/** @throws {PgbkError} `usage` for a text that could not be shown on one line of a terminal. `what` names it: `label`. */
export function checkPlainLine(text: string | undefined, what: string): void {
  if (text === undefined) return
  if (printable(text) !== text) {
    throw new PgbkError(
      'usage',
      `the ${what} ${JSON.stringify(text)} has line breaks or control characters`,
      {
        hint: `A ${what} is one line of plain text.`,
      },
    )
  }
  if (text.trim() === '' || text.length > longest) {
    throw new PgbkError(
      'usage',
      `the ${what} has ${text.trim().length} characters, between 1 and ${longest} are allowed`,
    )
  }
}
