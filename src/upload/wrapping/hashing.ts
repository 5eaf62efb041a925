import { createHash } from 'node:crypto'
import type { Sendable } from '../../system/files/sendable.js'

/** The SHA-256 of all of it. */
export async function sha256Of(what: Sendable): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of what.read(0, what.bytes)) hash.update(piece)
  return hash.digest('hex')
}

/** The same bytes, for somebody who reads them once from the first to the last, which are hashed on the way. */
export function hashedOnTheWay(what: Sendable): { what: Sendable; sha256(): string } {
  const hash = createHash('sha256')
  return {
    what: {
      bytes: what.bytes,
      async *read(from, length) {
        for await (const piece of what.read(from, length)) {
          hash.update(piece)
          yield piece
        }
      },
    },
    sha256: () => hash.digest('hex'),
  }
}
