import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { PgbkError, systemCode } from '../../errors.js'

/**
 * The only way in which files of a root, a backup or a source are read: whoever made them may have put a link, a pipe, a device or a
 * file without end in their place. Nothing here ever waits for anybody, follows a link at the end of a path, or reads more than it was
 * told to. A test holds all other files of src/ to it.
 */

/** What a file of each kind has at most, in bytes. */
export const mostBytes = {
  /** backup.json, and the markers that were one. */
  record: 16 << 20,
  /** Notes, markers, proofs and holds; .pid and .history files. */
  note: 64 << 10,
  /** The notes about the segments of one WAL archive, or of those that a store got: more than a hundred thousand. */
  segmentNotes: 64 << 20,
  /** A server's configuration files, and a README. */
  conf: 16 << 20,
  /** backup_manifest: 5 million files. */
  manifest: 1 << 30,
  /** global/pg_control (PG_CONTROL_FILE_SIZE is 8192). */
  control: 64 << 10,
}

/**
 * All of a small file.
 * @throws {PgbkError} `damaged` when it is not a regular file, or larger than `most` bytes; a system error when it cannot be read.
 */
export function readSmall(path: string, most: number): Buffer {
  const { file, size } = openLooked(path)
  try {
    if (size > most) throw tooLarge(path, most)
    const bytes = readUpTo(file, most + 1, size)
    if (bytes.length > most) throw tooLarge(path, most)
    return bytes
  } finally {
    closeSync(file)
  }
}

/** The same as text, which is UTF-8. */
export function readSmallText(path: string, most: number): string {
  return readSmall(path, most).toString()
}

/** The same, undefined where it is not there. Cheap for thousands of files that most backups do not have. */
export function readSmallIfThere(path: string, most: number): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
  try {
    return readSmallText(path, most)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The last bytes of a file of any size. @throws as `readSmall`. */
export function readTail(path: string, most: number): Buffer {
  const file = openRegular(path)
  try {
    return readUpTo(file, most, most, Math.max(0, fstatSync(file).size - most))
  } finally {
    closeSync(file)
  }
}

/** A piece of a file: what there is of `most` bytes from a position on. @throws as `readSmall`. */
export function readPiece(path: string, from: number, most: number): Buffer {
  const file = openRegular(path)
  try {
    return readUpTo(file, most, most, from)
  } finally {
    closeSync(file)
  }
}

/** One byte more is asked for than there should be: some systems' files have no size, and others grow. */
function readUpTo(file: number, most: number, expected: number, from = 0): Buffer {
  let buffer = Buffer.allocUnsafe(Math.min(most, expected + 1))
  for (let length = 0; ; ) {
    const read =
      length < buffer.length ? readSync(file, buffer, length, buffer.length - length, from + length) : 0
    length += read
    if (read === 0 || (length === expected && length < buffer.length)) return buffer.subarray(0, length)
    if (length === buffer.length && length < most)
      buffer = Buffer.concat([buffer, Buffer.allocUnsafe(Math.min(most - length, length + 4096))])
  }
}

const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** What there is to know of a regular file. @throws as `readSmall`, but for the size. */
export function checkFile(path: string | Buffer): Stats {
  const found = lstatSync(path)
  checkRegular(path, found)
  return found
}

/** A descriptor, for reading, that the caller closes. @throws as `readSmall`, but for the size. */
export function openRegular(path: string): number {
  return openLooked(path).file
}

/** The same, with the bytes that it has now. */
function openLooked(path: string): { file: number; size: number } {
  let file: number
  try {
    file = openSync(path, flags)
  } catch (error) {
    throw explained(path, error)
  }
  try {
    const found = fstatSync(file)
    checkRegular(path, found)
    return { file, size: found.size }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

/** The same for large files, to read while others go on. */
export async function openRegularFile(path: string | Buffer): Promise<FileHandle> {
  checkFile(path)
  const file = await open(path, flags).catch((error) => {
    throw explained(path, error)
  })
  try {
    checkRegular(path, await file.stat())
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The pieces of a large file, or of bytes of it. @throws as `readSmall`, but for the size. */
export async function* piecesOf(
  path: string | Buffer,
  { from = 0, length = Number.POSITIVE_INFINITY }: { from?: number; length?: number | undefined } = {},
  most = pieceSize,
): AsyncGenerator<Buffer> {
  const file = await openRegularFile(path)
  try {
    for (let at = from; ; ) {
      const wanted = Math.min(most, from + length - at)
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Shows all of a large file, a piece at a time, each of which is gone when the next one is shown. @throws as `piecesOf`. */
export async function scan(path: string, show: (piece: Buffer) => void): Promise<void> {
  const file = await openRegularFile(path)
  const buffer = Buffer.allocUnsafe(pieceSize)
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, pieceSize, at)
      if (bytesRead === 0) return
      at += bytesRead
      show(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

const pieceSize = 1 << 20

/** @throws {PgbkError} `damaged`. */
function checkRegular(path: string | Buffer, found: Stats): void {
  if (!found.isFile()) throw notRegular(path, kindOf(found))
}

/** O_NOFOLLOW meets a link, O_NONBLOCK a socket or a device without a driver. */
function explained(path: string | Buffer, error: unknown): unknown {
  const code = systemCode(error)
  if (code !== 'ELOOP' && code !== 'ENXIO') return error
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found && !found.isFile() ? notRegular(path, kindOf(found)) : error
}

/** What something is that is not a regular file. */
export function kindOf(found: Pick<Stats, 'isSymbolicLink' | 'isDirectory' | 'isFIFO' | 'isSocket'>): string {
  if (found.isSymbolicLink()) return 'a symbolic link'
  if (found.isDirectory()) return 'a directory'
  if (found.isFIFO()) return 'a pipe'
  return found.isSocket() ? 'a socket' : 'a device'
}

function notRegular(path: string | Buffer, kind: string): PgbkError {
  return oddFile(path, `is ${kind}, where a file was expected`)
}

function tooLarge(path: string, most: number): PgbkError {
  return oddFile(path, `has more than ${most} bytes, which no such file has`)
}

/** @param what is said of the path: `is a pipe`. */
export function oddFile(path: string | Buffer, what: string): PgbkError {
  return new PgbkError('damaged', `${path} ${what}`, { facts: { path: `${path}`, reason: `it ${what}` } })
}
