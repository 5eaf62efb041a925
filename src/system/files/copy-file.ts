import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { systemCode } from '../../errors.js'
import { checkFile } from './read-small.js'

/** Bytes where a name is not UTF-8. */
type SystemPath = string | Buffer

const small = 1 << 20

/**
 * Copies one file.
 * @param mode as for `fs.copyFile`.
 * @returns its bytes.
 * @throws {PgbkError} `damaged` for what is not a regular file: a pipe would never end.
 */
export async function copyOneFile(source: SystemPath, target: SystemPath, mode: number): Promise<number> {
  return copySmallFile(source, target, mode) ?? (await copyLargeFile(source, target, mode))
}

/**
 * Copies a file that is small, at once: of the thousands of a cluster, handing each step to another thread would take longer than the
 * steps.
 * @returns its bytes; undefined for a larger one, of which nothing is done.
 * @throws as `copyOneFile`.
 */
export function copySmallFile(source: SystemPath, target: SystemPath, mode: number): number | undefined {
  const found = checkFile(source)
  if (found.size > small) return undefined
  if (found.size === 0) makeEmpty(target, found.mode & 0o7777)
  else copyFileSync(source, target, mode)
  return found.size
}

async function copyLargeFile(source: SystemPath, target: SystemPath, mode: number): Promise<number> {
  await copyFile(source, target, mode)
  return checkFile(target).size
}

/** Half of the files of a cluster are empty. */
function makeEmpty(target: SystemPath, mode: number): void {
  const file = openSync(target, newFile, mode)
  try {
    if ((mode & 0o077) !== 0) fchmodSync(file, mode) // the umask has taken that away
  } finally {
    closeSync(file)
  }
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants
const newFile = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK

/** Moves one file; to another file system it is copied. @returns its bytes. */
export async function moveOneFile(source: SystemPath, target: SystemPath, mode: number): Promise<number> {
  try {
    const { size } = lstatSync(source)
    renameSync(source, target)
    await setImmediate()
    return size
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    const size = await copyOneFile(source, target, mode)
    rmSync(source)
    return size
  }
}
