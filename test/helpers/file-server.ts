import type { Store } from '../../src/file-server/blocks/store.js'
import type { Origin } from '../../src/file-server/origin/origin.js'
import { Refusal } from '../../src/file-server/protocol/refusal.js'
import { bytePath } from '../../src/system/paths/byte-path.js'

const time = { seconds: 1_800_000_000, nanoseconds: 5 }

/** An origin in memory: files of one directory. */
export function anOrigin(files: Record<string, Buffer>): Origin {
  const bytesOf = (path: string) => files[path] ?? Buffer.alloc(0)
  return {
    list: () => Object.keys(files).map((name) => ({ name: bytePath(name), kind: 'file' as const })),
    attributes: (path) => ({
      permissions: path === '' ? 0o700 : 0o600,
      size: bytesOf(path).length,
      ...{ atime: time, mtime: time, ctime: time },
    }),
    target: () => Buffer.alloc(0),
    read: (path, position, into, at, length) => bytesOf(path).copy(into, at, position, position + length),
  }
}

export interface MemoryStore extends Store {
  files: Map<number, Buffer>
  /** How many bytes were written in all. */
  written: number
}

/** A store in memory that takes so many bytes: of a write that has no room, what there is room for. */
export function aStore(room = Number.POSITIVE_INFINITY): MemoryStore {
  const files = new Map<number, Buffer>()
  const grown = (id: number, size: number) => {
    const file = files.get(id) ?? Buffer.alloc(0)
    return file.length >= size ? file : Buffer.concat([file, Buffer.alloc(size - file.length)])
  }
  const store: MemoryStore = {
    files,
    written: 0,
    create: (id) => void files.set(id, Buffer.alloc(0)),
    read: (id, position, into, at, length) =>
      void grown(id, position + length).copy(into, at, position, position + length),
    write: (id, position, from, at, length) => {
      const part = Math.min(length, room - store.written)
      const file = grown(id, position + part)
      from.copy(file, position, at, at + part)
      files.set(id, file)
      store.written += part
      if (part < length) throw new Refusal('ENOSPC')
    },
    cut: (id, size) => void files.set(id, grown(id, size).subarray(0, size)),
    remove: (id) => void files.delete(id),
    room: () => {
      throw new Refusal('ENOSYS')
    },
  }
  return store
}
