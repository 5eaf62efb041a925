import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { PgbkError, systemCode } from '../errors.js'

/** No configuration is larger; what is would only be a way to fill the memory. */
export const largestConfFile = 16 * 1024 * 1024

/**
 * The bytes of a configuration file of a backup. What is no ordinary file is not even opened to the end: links lead to what is not the
 * backup's, and pipes never end.
 * @param inside the directory that it has to be in: no directory on the way down may be a link.
 * @throws {PgbkError} `damaged` for what is no file of the backup; a system error when it is missing or cannot be read.
 */
export function readConfFile(path: string, inside: string): Buffer {
  checkWay(dirname(path), inside)
  const descriptor = openPlain(path)
  try {
    const found = fstatSync(descriptor)
    if (!found.isFile()) throw notOfTheBackup(path, 'it is no ordinary file')
    if (found.size > largestConfFile) throw notOfTheBackup(path, `it has ${found.size} bytes`)
    return readWhole(descriptor, found.size)
  } finally {
    closeSync(descriptor)
  }
}

/** As `readConfFile`; undefined when there is no such file. */
export function confFileIfThere(path: string, inside: string): Buffer | undefined {
  try {
    return readConfFile(path, inside)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function checkWay(directory: string, inside: string): void {
  const way = relative(inside, directory)
  if (way.split('/')[0] === '..') throw notOfTheBackup(directory, 'it lies elsewhere')
  for (let at = inside, rest = way.split('/').filter(Boolean); ; at = join(at, rest.shift() ?? '')) {
    if (!lstatSync(at).isDirectory()) throw notOfTheBackup(at, 'it is no directory')
    if (rest.length === 0) return
  }
}

function openPlain(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    // macOS and Linux say ELOOP, FreeBSD EMLINK; a socket cannot be opened at all.
    if (['ELOOP', 'EMLINK', 'ENXIO'].includes(systemCode(error) ?? ''))
      throw notOfTheBackup(path, 'it is no ordinary file', error)
    throw error
  }
}

function readWhole(descriptor: number, size: number): Buffer {
  const content = Buffer.alloc(size)
  let length = 0
  for (let read = -1; read !== 0 && length < size; length += read)
    read = readSync(descriptor, content, length, size - length, null)
  return content.subarray(0, length)
}

function notOfTheBackup(path: string, problem: string, cause?: unknown): PgbkError {
  return new PgbkError('damaged', `${path} is not read: ${problem}`, {
    cause,
    hint: `A backup has ordinary files of at most ${largestConfFile / 1024 ** 2} MB there. Who has put something else in their place?`,
  })
}
