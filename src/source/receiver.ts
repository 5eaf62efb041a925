import {
  chmodSync,
  constants,
  fsyncSync,
  futimesSync,
  openSync,
  renameSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { copyOneFile } from '../backup/copy-file.js'
import { syncPath } from '../backup/durable.js'
import { flushedAtOnce, openFlusher } from './flusher.js'
import { walFileOf } from './names.js'

/** A file that comes in pieces. */
export interface Incoming {
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
export interface Receiver {
  /** The names that are there. */
  readonly names: Set<string>
  /** @param changedAt not before its last change. */
  begin(name: string, changedAt: Date): Incoming
  /** Copies a file of this machine; shares its blocks where the file system can. */
  copy(source: string, name: string): Promise<void>
  /** Waits for flushes that still go on. @throws a system error when one has failed. */
  flushed(): Promise<void>
}

const unfinished = '.pgbk-part'

/** Whether a name is that of a file that was not received to its end. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(unfinished)
}

/**
 * @param onBytes is told the bytes of each piece.
 * @param onWhole is told the name of each file that has come to its end; what it throws ends the transfer.
 */
export function openReceiver(
  directory: string,
  onBytes: (bytes: number) => void,
  onWhole: (name: string) => void,
): Receiver {
  const names = new Set<string>()
  const flusher = openFlusher()
  const partOf = (name: string) => join(directory, name) + unfinished
  const settle = (name: string) => {
    renameSync(partOf(name), join(directory, name))
    names.add(name)
    onWhole(name)
  }
  return {
    names,
    begin: (name, changedAt) => {
      const file = flusher.take(openSync(partOf(name), 'w', 0o600))
      return {
        // The system takes bytes over at memory's speed: there is nothing to wait for.
        write: (bytes) => {
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

function keepTime(source: string, target: string): void {
  const changedAt = new Date(Math.ceil(statSync(source).mtimeMs))
  utimesSync(target, changedAt, changedAt)
}
