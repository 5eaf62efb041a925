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
  let latest: Key | undefined
  let latestDescriptor = -1
  const close = (key: Key) => {
    const descriptor = known.get(key)
    if (descriptor === undefined) return
    known.delete(key)
    if (key === latest) latest = undefined
    closeSync(descriptor)
  }
  return {
    get: (key) => {
      if (key === latest) return latestDescriptor
      const descriptor = known.get(key) ?? open(key)
      known.delete(key)
      known.set(key, descriptor)
      if (known.size > most) close(known.keys().next().value as Key)
      latest = key
      latestDescriptor = descriptor
      return descriptor
    },
    close,
  }
}
