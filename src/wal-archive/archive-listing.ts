import { lstatSync, opendirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { kindOf, oddFile } from '../system/files/read-small.js'
import type { ArchiveFile } from '../wal-segments/archive-segments.js'

/** More than the segments of 16 MB of a year at half a megabyte a second. */
const mostNames = 1 << 20

/** @throws {PgbkError} `damaged` for what is not a directory, or has more names than any archive; a system error. */
function archiveNames(path: string): string[] {
  const found = lstatSync(path)
  if (!found.isDirectory())
    throw oddFile(path, `is ${found.isFile() ? 'a file' : kindOf(found)}, where a directory was expected`)
  const directory = opendirSync(path)
  const names: string[] = []
  try {
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
      names.push(entry.name)
      if (names.length > mostNames) throw oddFile(path, `has more than ${mostNames} files`)
    }
    return names
  } finally {
    directory.closeSync()
  }
}

/** What looking again does not correct, and is so for this archive alone. */
const unreadable = new Set(['ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'])

/** A receiver that renames a file at every look is not one of ours. */
const mostLooks = 5

/**
 * The files of an archive at one time: a receiver finishes and compresses segments, and what was listed under one name may be there
 * under another by now. A directory that is not there has none.
 * @throws {PgbkError} `damaged` for one that is none, or cannot be read.
 */
export function filesInArchive(
  directory: string,
  list: (directory: string) => string[] = archiveNames,
): ArchiveFile[] {
  for (let looks = 1; ; looks++) {
    try {
      const found = list(directory).map((name) => ({
        name,
        stats: lstatSync(join(directory, name), { throwIfNoEntry: false }),
      }))
      if (looks < mostLooks && found.some(({ stats }) => stats === undefined)) continue
      return found.flatMap(({ name, stats }) =>
        stats?.isFile() ? [{ directory, name, bytes: stats.size }] : [],
      )
    } catch (error) {
      const code = systemCode(error)
      if (code === 'ENOENT') return []
      if (code !== undefined && unreadable.has(code))
        throw new PgbkError('damaged', `${directory} cannot be read: ${messageOf(error)}`, {
          cause: error,
          facts: { path: directory, reason: `it cannot be read: ${messageOf(error)}` },
        })
      throw error
    }
  }
}

/**
 * What is found in an archive; a gap counts only when the next look finds the same one: a directory need not list a file that is
 * renamed meanwhile.
 */
export function agreedOn<Wal extends { gap: object | undefined }>(look: () => Wal): Wal {
  let found = look()
  for (let looks = 1; found.gap && looks < mostLooks; looks++) {
    const again = look()
    if (isDeepStrictEqual(again.gap, found.gap)) return again
    found = again
  }
  return found
}
