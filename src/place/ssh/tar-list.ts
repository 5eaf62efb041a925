import { PgbkError } from '../../errors.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'

/**
 * Names for tar's `-T -`, one a line: what GNU tar, bsdtar and busybox all read.
 * @throws {PgbkError} `failed` for a name with a line break.
 */
export function nameList(names: BytePath[]): Buffer {
  const odd = names.find((name) => name.includes('\n'))
  if (odd !== undefined) {
    throw new PgbkError(
      'failed',
      `a file of the backup has a line break in its name: ${JSON.stringify(shownPath(odd))}`,
      {
        hint: 'Copy this backup with cp or rsync.',
      },
    )
  }
  return Buffer.from(names.map((name) => `${name}\n`).join(''), 'latin1')
}
