import { PgbkError } from '../errors.js'

const longest = 200

/** @throws {PgbkError} `usage` for a text that could not be shown on one line of a terminal. `what` names it: `label`. */
export function checkPlainLine(text: string | undefined, what: string): void {
  if (text === undefined) return
  if (/\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u.test(text)) {
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
