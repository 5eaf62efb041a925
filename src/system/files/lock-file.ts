import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { PgbkError, systemCode, systemFailure } from '../../errors.js'

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** A lock's file as it was opened: what is at its path later may be another. */
export interface LockFile {
  /** Whether it is still the one at its path. */
  isThere(): boolean
  /** Replaces what it says about its holder. @throws a system error. */
  write(note: string): void
  close(): void
}

/**
 * Opens the file of a lock, or makes it.
 * @throws {PgbkError} `failed` for what is not a regular file; a link is not followed, and a pipe does not hold anybody up.
 */
export function openLockFile(file: string): LockFile {
  const descriptor = open(file, O_RDONLY | O_CREAT)
  const { dev, ino } = fstatSync(descriptor)
  const isSame = (found: { dev: number; ino: number } | undefined) => found?.dev === dev && found.ino === ino
  return {
    isThere: () => isSame(statAt(file)),
    write: (note) => {
      const own = open(file, O_WRONLY)
      try {
        if (!isSame(fstatSync(own))) return
        ftruncateSync(own)
        writeSync(own, note)
      } finally {
        closeSync(own)
      }
    },
    close: () => closeSync(descriptor),
  }
}

const mostBytes = 1000

/** What a lock's file says about its holder. @throws {PgbkError} `failed`; a system error when it cannot be read. */
export function readLockFile(file: string): string {
  const descriptor = open(file, O_RDONLY)
  try {
    const bytes = Buffer.alloc(mostBytes)
    return bytes.toString('utf8', 0, readSync(descriptor, bytes))
  } finally {
    closeSync(descriptor)
  }
}

function open(file: string, flags: number): number {
  let descriptor: number
  try {
    descriptor = openSync(file, flags | O_NOFOLLOW | O_NONBLOCK, 0o600)
  } catch (error) {
    if (['ELOOP', 'EMLINK', 'ENXIO', 'EISDIR'].includes(systemCode(error) ?? '')) throw inTheWay(file)
    throw systemFailure(`cannot lock ${file}`, error)
  }
  if (fstatSync(descriptor).isFile()) return descriptor
  closeSync(descriptor)
  throw inTheWay(file)
}

function statAt(file: string) {
  try {
    return lstatSync(file)
  } catch {
    return undefined
  }
}

function inTheWay(file: string): PgbkError {
  return new PgbkError('failed', `cannot lock ${file}: it is a link, or no regular file`, {
    hint: 'Find out what it is, and move it away; pgbk makes one of its own.',
  })
}
