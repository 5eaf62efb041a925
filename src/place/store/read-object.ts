import { PgbkError } from '../../errors.js'
import type { ObjectStore } from './object-store.js'

/**
 * All of a small object; undefined where it is not there.
 * @throws {PgbkError} `damaged` when it is larger than `most` bytes.
 */
export async function readObject(store: ObjectStore, key: string, most: number): Promise<Buffer | undefined> {
  const bytes = await readBeginning(store, key, most + 1)
  if (bytes) checkSize(store, key, bytes, most)
  return bytes
}

/** @throws {PgbkError} `damaged`. */
export function checkSize(store: ObjectStore, key: string, bytes: Buffer, most: number): void {
  if (bytes.length > most)
    throw new PgbkError(
      'damaged',
      `${store.locationOf(key)} has more than ${most} bytes, which no such file has`,
    )
}

/** So many bytes of an object, or all where it has fewer; undefined where it is not there. */
export async function readBeginning(
  store: ObjectStore,
  key: string,
  length: number,
): Promise<Buffer | undefined> {
  try {
    return await store.read(key, { from: 0, length }, async (pieces) => {
      const all: Buffer[] = []
      for await (const piece of pieces) all.push(piece)
      return Buffer.concat(all)
    })
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'not-found') return undefined
    throw error
  }
}
