import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  rmSync,
  type StatsFs,
  statfsSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { descriptors } from '../../system/files/descriptors.js'
import { readFully } from '../../system/files/read-fully.js'

/** What a run writes: a sparse file for each file that has changed, by number. What was never written there is zeros. */
export interface Store {
  /** Makes an empty one. */
  create(id: number): void
  /** Reads all of that range: zeros where nothing was written. */
  read(id: number, position: number, into: Buffer, at: number, length: number): void
  write(id: number, position: number, from: Buffer, at: number, length: number): void
  /** Forgets all from there on. */
  cut(id: number, size: number): void
  remove(id: number): void
  /** The room on its file system. */
  room(): StatsFs
}

/** How many of them are open at once. */
const mostOpen = 400

/** @param directory an empty one. */
export function openStore(directory: string): Store {
  const pathOf = (id: number) => join(directory, String(id))
  const flags = constants.O_RDWR | constants.O_NOFOLLOW
  const files = descriptors<number>(mostOpen, (id) => openSync(pathOf(id), flags))
  return {
    create: (id) => closeSync(openSync(pathOf(id), flags | constants.O_CREAT | constants.O_EXCL, 0o600)),
    read: (id, position, into, at, length) => {
      const got = readFully(files.get(id), position, into, at, length)
      if (got < length) into.fill(0, at + got, at + length)
    },
    write: (id, position, from, at, length) => {
      const file = files.get(id)
      for (let done = 0; done < length; )
        done += writeSync(file, from, at + done, length - done, position + done)
    },
    cut: (id, size) => ftruncateSync(files.get(id), size),
    remove: (id) => {
      files.close(id)
      // A run's directory may be removed while its last files are closed.
      rmSync(pathOf(id), { force: true })
    },
    room: () => statfsSync(directory),
  }
}
