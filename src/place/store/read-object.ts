import { PgbkError } from '../../errors.js'
import type { ObjectStore } from './object-store.js'

/**
 * All of a small object; undefined where it is not there.
 * @throws {PgbkError} `damaged` when it is larger than `most` bytes.
 */
export async function readObject(store: ObjectStore, key: string, most: number): Promise<Buffer | undefined> {
  try {
    const bytes = await store.read(key, { from: 0, length: most + 1 }, async (pieces) => {
      const all: Buffer[] = []
      for await (const piece of pieces) all.push(piece)
      return Buffer.concat(all)
    })
    if (bytes.length <= most) return bytes
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'not-found') return undefined
    throw error
  }
  throw new PgbkError(
    'damaged',
    `${store.locationOf(key)} has more than ${most} bytes, which no such file has`,
  )
}
