import { lstatSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { PgbkError, systemCode } from '../../errors.js'
import { mostBytes, readSmall } from '../../system/files/read-small.js'

/**
 * The bytes of a configuration file of a backup. What is not an ordinary file is not even opened to the end: links lead to what is not the
 * backup's, and pipes never end.
 * @param inside the directory that it has to be in: no directory on the way down may be a link.
 * @throws {PgbkError} `damaged` for what is not a file of the backup; a system error when it is missing or cannot be read.
 */
export function readConfFile(path: string, inside: string): Buffer {
  checkWay(dirname(path), inside)
  return readSmall(path, mostBytes.conf)
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

/** As `confFileIfThere`; undefined too where something else is in its place, or in the place of a directory on the way. */
export function ordinaryConfFile(path: string, inside: string): Buffer | undefined {
  try {
    return confFileIfThere(path, inside)
  } catch (error) {
    if (error instanceof PgbkError || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function checkWay(directory: string, inside: string): void {
  const way = relative(inside, directory)
  if (way.split('/')[0] === '..') throw notOfTheBackup(directory, 'it lies elsewhere')
  for (let at = inside, rest = way.split('/').filter(Boolean); ; at = join(at, rest.shift() ?? '')) {
    if (!lstatSync(at).isDirectory()) throw notOfTheBackup(at, 'it is not a directory')
    if (rest.length === 0) return
  }
}

function notOfTheBackup(path: string, problem: string): PgbkError {
  const what = `is not read: ${problem}`
  return new PgbkError('damaged', `${path} ${what}`, {
    facts: { path, reason: `it ${what}` },
    hint: 'A backup has regular files there; something else has been put in their place.',
  })
}
