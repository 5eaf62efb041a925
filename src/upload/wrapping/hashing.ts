import { createHash } from 'node:crypto'
import type { Sendable } from '../../system/files/sendable.js'

/** The SHA-256 of all of it. */
export async function sha256Of(what: Sendable): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of what.read(0, what.bytes)) hash.update(piece)
  return hash.digest('hex')
}

/**
 * The same bytes, which are hashed as they pass. What is read in order, from the first on, whoever reads it and however often, need not be
 * read for that: the rest is, when the sum is asked for.
 */
export function hashedOnTheWay(what: Sendable): { what: Sendable; sha256(): Promise<string> } {
  const hash = createHash('sha256')
  let hashed = 0
  let sum: Promise<string> | undefined
  async function* read(from: number, length: number): AsyncGenerator<Buffer> {
    let at = from
    for await (const piece of what.read(from, length)) {
      if (at <= hashed && hashed < at + piece.length) {
        hash.update(piece.subarray(hashed - at))
        hashed = at + piece.length
      }
      at += piece.length
      yield piece
    }
  }
  const hashRest = async () => {
    for await (const _piece of read(hashed, what.bytes - hashed));
    return hash.digest('hex')
  }
  return {
    what: { bytes: what.bytes, read },
    sha256: () => {
      sum ??= hashRest()
      return sum
    },
  }
}
