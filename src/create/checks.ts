import { PgbkError } from '../errors.js'

const longestLabel = 200

/** @throws {PgbkError} `usage` for a label that could not be shown on one line of a terminal. */
export function checkLabel(label: string | undefined): void {
  if (label === undefined) return
  if (/\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/u.test(label)) {
    throw new PgbkError('usage', `the label ${JSON.stringify(label)} has line breaks or control characters`, {
      hint: 'A label is one line of plain text.',
    })
  }
  if (label.trim() === '' || label.length > longestLabel) {
    throw new PgbkError(
      'usage',
      `the label has ${label.trim().length} characters, between 1 and ${longestLabel} are allowed`,
    )
  }
}

/** @throws {PgbkError} `usage` for a rate that pg_basebackup would not take (32 kB to 1 GB a second). */
export function checkRate(rate: string | undefined): void {
  if (rate === undefined) return
  const [, digits, unit] = /^(\d+)([kM]?)$/.exec(rate) ?? []
  const kilobytes = Number(digits) * (unit === 'M' ? 1024 : 1)
  if (kilobytes >= 32 && kilobytes <= 1024 * 1024) return
  throw new PgbkError('usage', `${JSON.stringify(rate)} is no transfer rate for --max-rate`, {
    hint: 'Kilobytes per second, or with a suffix: 800k, 50M. From 32k to 1024M.',
  })
}
