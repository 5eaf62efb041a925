import { lstat, mkdir, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { PgbkError, systemCode } from '../../errors.js'
import { syncPath } from '../../system/files/durable.js'
import { kindOf, oddFile } from '../../system/files/read-small.js'
import { inside } from '../../system/paths/inside.js'

/** @throws {PgbkError} `not-found` for a directory that is not there. */
export async function checkDirectory(directory: string): Promise<void> {
  const found = await ifThere(lstat(join(directory, '.')))
  if (found?.isDirectory()) return
  throw new PgbkError('not-found', `${directory} does not exist, or is not a directory`, {
    hint: 'Is the disk mounted? pgbk does not make the directory of a store.',
  })
}

/**
 * The path of a key; undefined where a directory above it is not there.
 * @throws {PgbkError} `damaged` for a link in the place of such a directory, and for what is no key.
 */
export async function keyPath(directory: string, key: string): Promise<string | undefined> {
  const path = inside(directory, key)
  const parts = key.split('/')
  for (let count = 1; count < parts.length; count++) {
    const above = join(directory, ...parts.slice(0, count))
    const found = await ifThere(lstat(above))
    if (!found) return undefined
    if (!found.isDirectory()) throw oddFile(above, `is ${kindOf(found)}, where a directory was expected`)
  }
  return path
}

/** The same, where the directories are made, but for the first one. @throws as `checkDirectory` and `keyPath`. */
export async function placeFor(directory: string, key: string): Promise<string> {
  await checkDirectory(directory)
  for (let left = mostRounds; left > 0; left--) {
    const path = await keyPath(directory, key)
    if (path) return path
    await makeAbove(inside(directory, key))
  }
  throw new PgbkError('failed', `the directory of ${key} in ${directory} is removed as often as it is made`)
}

/** Others may remove an empty directory at any moment. */
const mostRounds = 5

async function makeAbove(path: string): Promise<void> {
  const first = await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  for (let made = dirname(path); first !== undefined && made.startsWith(first); made = dirname(made))
    await syncPath(dirname(made)).catch((error) => systemCode(error) === 'ENOENT' || Promise.reject(error))
}

/** Removes the directories that a key has left empty. */
export async function removeEmptyAbove(directory: string, path: string): Promise<void> {
  for (let above = dirname(path); above.startsWith(directory + sep); above = dirname(above)) {
    try {
      await rmdir(above)
    } catch {
      return // there is something in it
    }
  }
}

/** What a call of the file system says of a path; undefined where there is nothing. */
export async function ifThere<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}
