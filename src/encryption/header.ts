import { PgbkError } from '../errors.js'

/** An age file up to its first chunk. */
export interface AgeHeader {
  /** Its stanzas, one for each recipient, and their MAC. */
  text: Buffer
  /** Of its payload. */
  nonce: Buffer
  /** Both: where the first chunk begins. */
  bytes: number
}

export const nonceBytes = 16

/** 600 recipients; whoever made a file may have made its header endless. */
export const mostHeaderBytes = 64 << 10

const start = Buffer.from('age-encryption.org/v1\n')

/**
 * The header of a file that begins so; undefined where more of it is needed.
 * @param file what errors call it.
 * @throws {PgbkError} `damaged` for what is no file in the age format.
 */
export function headerIn(beginning: Buffer, file: string): AgeHeader | undefined {
  const known = Math.min(start.length, beginning.length)
  if (!start.subarray(0, known).equals(beginning.subarray(0, known)))
    throw damagedFile(file, 'it does not begin as a file in the age format does')
  const mac = beginning.indexOf('\n--- ')
  const end = mac < 0 ? -1 : beginning.indexOf('\n', mac + 1)
  if (end >= 0 && beginning.length >= end + 1 + nonceBytes)
    return {
      text: beginning.subarray(0, end + 1),
      nonce: beginning.subarray(end + 1, end + 1 + nonceBytes),
      bytes: end + 1 + nonceBytes,
    }
  if (beginning.length >= mostHeaderBytes) throw damagedFile(file, 'its header has no end')
  return undefined
}

/** @param problem `it ends in the middle`. */
export function damagedFile(file: string, problem: string, cause?: unknown): PgbkError {
  return new PgbkError('damaged', `${file} is damaged: ${problem}`, {
    cause,
    hint: 'Get it from another copy of the backup, or choose another backup.',
    facts: { reason: problem },
  })
}
