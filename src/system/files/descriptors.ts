import { closeSync } from 'node:fs'

/** Open files by a key; those that were used longest ago are closed when there are too many. */
export interface Descriptors<Key> {
  /** Opens it unless it is open. Good until the next call. */
  get(key: Key): number
  close(key: Key): void
}

export function descriptors<Key>(most: number, open: (key: Key) => number): Descriptors<Key> {
  // In the order of their last use.
  const known = new Map<Key, number>()
  const close = (key: Key) => {
    const descriptor = known.get(key)
    if (descriptor === undefined) return
    known.delete(key)
    closeSync(descriptor)
  }
  return {
    get: (key) => {
      const descriptor = known.get(key) ?? open(key)
      known.delete(key)
      known.set(key, descriptor)
      const [oldest] = known.size > most ? known.keys() : []
      if (oldest !== undefined) close(oldest)
      return descriptor
    },
    close,
  }
}
