import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { replaceFleetingly } from '../system/files/durable.js'
import { removeMarked } from '../system/files/marked-directory.js'
import { readNote } from '../system/files/read-note.js'
import { namesIn } from '../system/paths/names-in.js'
import { lifeOf, markOfThisProcess, markSchema } from '../system/process/process-mark.js'

const markerName = '.pgbk-desk.json'

/**
 * Makes a directory for WAL that pg_waldump reads, marked with this process, and removes those that killed processes of the same user
 * have left beside it.
 * @throws {PgbkError} `failed` when the place cannot be written to; nothing is left then.
 */
export async function makeWaldumpDirectory(place: string): Promise<string> {
  let directory: string | undefined
  try {
    directory = await mkdtemp(join(place, 'pgbk-wal-'))
    replaceFleetingly(join(directory, markerName), `${JSON.stringify(markOfThisProcess())}\n`)
  } catch (cause) {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
    throw new PgbkError('failed', `cannot write to ${place}: ${messageOf(cause)}`, {
      cause,
      hint: 'Name another directory for temporary files in the environment:  TMPDIR=DIR',
    })
  }
  sweepWaldumpDirectories(place, lstatSync(directory).uid)
  return directory
}

/** What is left after a kill can still be swept. */
export async function removeWaldumpDirectory(directory: string): Promise<void> {
  await removeMarked(join(directory, markerName))
}

function sweepWaldumpDirectories(place: string, uid: number): void {
  for (const name of namesIn(place, 'EACCES')) {
    if (!/^pgbk-wal-[A-Za-z0-9]{6}$/.test(name)) continue
    try {
      removeLeft(join(place, name), uid)
    } catch (error) {
      // Another's, not such a directory, or gone meanwhile.
      if (systemCode(error) === undefined) throw error
    }
  }
}

/**
 * In a place that everybody may write to, a path may lead elsewhere a moment later: all is looked at and removed through the open
 * directory, which stays the same. Where there is no /proc, nothing is removed.
 */
function removeLeft(path: string, uid: number): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const found = fstatSync(directory)
    const inside = `/proc/self/fd/${directory}`
    if (found.uid !== uid || (found.mode & 0o077) !== 0 || !isLeft(join(inside, markerName))) return
    for (const name of readdirSync(inside)) if (name !== markerName) unlinkSync(join(inside, name))
    unlinkSync(join(inside, markerName))
  } finally {
    closeSync(directory)
  }
  rmdirSync(path)
}

/** Only where it is certain that the process which made the marker is gone. */
function isLeft(marker: string): boolean {
  const value = readNote(markSchema, marker)
  return value !== undefined && value.pid_space !== null && lifeOf(value) === 'gone'
}
