import { isAbsolute, join, relative } from 'node:path'
import { PgbkError } from '../../errors.js'
import { type BytePath, bytePath, joinBytes, shownPath, systemPath } from './byte-path.js'

/**
 * Below a directory, and written in one way only: not absolute, without `..`, empty parts or zero bytes. A backslash is a character
 * like others.
 */
export function isPlainName(name: string): boolean {
  return (
    name !== '' && name.length <= longestName && !name.includes('\0') && !/(?:^|\/)\.{0,2}(?:\/|$)/.test(name)
  )
}

/** Longer than any path that a system takes (PATH_MAX). */
const longestName = 4096

/**
 * The path of a name that a record, a manifest, a listing or another machine gave. Every call of the file system on such a name takes
 * its path from here.
 * @throws {PgbkError} `damaged` when it is not plain, and so may lead out of the directory.
 */
export function inside(directory: string, name: string): string {
  if (isPlainName(name)) return join(directory, name)
  throw noName(directory, name)
}

/** The same for a name that is bytes. */
export function bytesInside(directory: string, name: BytePath): string | Buffer {
  if (isPlainName(name)) return systemPath(joinBytes(bytePath(directory), name))
  throw noName(directory, shownPath(name))
}

function noName(directory: string, name: string): PgbkError {
  return new PgbkError(
    'damaged',
    `${JSON.stringify(name.slice(0, 200))} is not the name of a file inside ${directory}`,
  )
}

/** The path of a file inside a directory, or undefined when it lies elsewhere. */
export function relativeInside(directory: string, path: string): string | undefined {
  const inside = relative(directory, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? undefined : inside
}
