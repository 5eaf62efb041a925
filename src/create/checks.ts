import { PgbkError } from '../errors.js'

/** @throws {PgbkError} `usage` for a rate that pg_basebackup would not take (32 kB to 1 GB a second). */
export function checkRate(rate: string | undefined): void {
  if (rate === undefined) return
  const [, digits, unit] = /^(\d+)([kM]?)$/.exec(rate) ?? []
  const kilobytes = Number(digits) * (unit === 'M' ? 1024 : 1)
  if (kilobytes >= 32 && kilobytes <= 1024 * 1024) return
  throw new PgbkError('usage', `${JSON.stringify(rate)} is not a transfer rate for --max-rate`, {
    hint: 'Kilobytes per second, or with a suffix: 800k, 50M. From 32k to 1024M.',
  })
}
