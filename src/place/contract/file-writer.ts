import {
  chmodSync,
  constants,
  fsyncSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { PgbkError } from '../../errors.js'
import { copyOneFile } from '../../system/files/copy-file.js'
import { syncPath } from '../../system/files/durable.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'
import { bytesInside } from '../../system/paths/inside.js'
import { flushedAtOnce, openFlusher } from './flusher.js'
import { walFileOf } from './names.js'

/** A file that comes in pieces. */
export interface IncomingFile {
  write(bytes: Uint8Array): void
  /** All its bytes are there. */
  finish(): void
  /** It will not be whole. */
  abandon(): void
}

/**
 * Receives files into a directory. One that is not whole yet has another name, so a name alone tells that a file is whole;
 * one of WAL, which has no checksum, is on disk before it gets its name, and keeps the time of its last change, which tells whether
 * anything came after its snapshot.
 */
export interface FileWriter {
  /** The names that are there. */
  readonly names: Set<BytePath>
  /**
   * @param changedAt not before its last change.
   * @param from how many bytes of it have come before, and stay: those of an unfinished file.
   */
  begin(name: BytePath, changedAt: Date, from?: number): IncomingFile
  /** Copies a file of this machine; shares its blocks where the file system can. */
  copy(source: string | Buffer, name: BytePath): Promise<void>
  /** Waits for flushes that still go on. @throws a system error when one has failed. */
  flushed(): Promise<void>
}

const unfinished = '.pgbk-part'

/** The name of a file for as long as it is not whole. */
export function unfinishedName(name: BytePath): BytePath {
  return `${name}${unfinished}` as BytePath
}

/** Whether a name is that of a file that was not received to its end. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(unfinished)
}

/**
 * @param onBytes is told the bytes of each piece.
 * @param limitOf tells how many bytes a file has at most; more are never written.
 */
export function openFileWriter(
  directory: string,
  onBytes: (bytes: number) => void,
  limitOf: (name: BytePath) => number,
): FileWriter {
  const names = new Set<BytePath>()
  const flusher = openFlusher()
  const partOf = (name: BytePath) => bytesInside(directory, unfinishedName(name))
  const settle = (name: BytePath) => {
    renameSync(partOf(name), bytesInside(directory, name))
    names.add(name)
  }
  return {
    names,
    begin: (name, changedAt, from = 0) => {
      let room = limitOf(name) - from
      const file = flusher.take(openSync(partOf(name), from === 0 ? writeFlags : appendFlags, 0o600))
      return {
        // The system takes bytes over at memory's speed: there is nothing to wait for.
        write: (bytes) => {
          room -= bytes.length
          if (room < 0) throw tooLarge(name, limitOf(name))
          for (let at = 0; at < bytes.length; ) at += writeSync(file.descriptor, bytes, at)
          file.wrote(bytes.length)
          onBytes(bytes.length)
        },
        finish: () => {
          if (walFileOf(name) !== undefined) {
            futimesSync(file.descriptor, changedAt, changedAt)
            fsyncSync(file.descriptor)
          }
          file.close()
          settle(name)
        },
        abandon: file.close,
      }
    },
    copy: async (source, name) => {
      const part = partOf(name)
      const found = lstatSync(source)
      if (found.isFile() && found.size > limitOf(name)) throw tooLarge(name, limitOf(name))
      await copyOneFile(source, part, constants.COPYFILE_FICLONE)
      const { size, mode } = statSync(part)
      const isWal = walFileOf(name) !== undefined
      if (isWal) keepTime(source, part)
      if ((mode & 0o777) !== 0o600) chmodSync(part, 0o600)
      if (isWal || size >= flushedAtOnce) await syncPath(part)
      settle(name)
      onBytes(size)
    },
    flushed: flusher.end,
  }
}

const { O_WRONLY, O_APPEND, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
const writeFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW
const appendFlags = O_WRONLY | O_APPEND | O_NOFOLLOW

function tooLarge(name: BytePath, most: number): PgbkError {
  return new PgbkError(
    'damaged',
    `${shownPath(name)} of the source has more than the ${most} bytes that it should have`,
    {
      hint: 'The source is damaged, or does not send what it should. Choose another backup.',
    },
  )
}

function keepTime(source: string | Buffer, target: string | Buffer): void {
  const changedAt = new Date(Math.ceil(statSync(source).mtimeMs))
  utimesSync(target, changedAt, changedAt)
}
