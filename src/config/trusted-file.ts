import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import {
  isOpenToOthers,
  isShared,
  type Trust,
  type Untrusted,
  walkTrusted,
} from '../system/paths/trusted-path.js'

const names = 'A configuration names programs to run'
const mostBytes = 1024 * 1024

/**
 * The text of a configuration file, as ssh reads its own: it and every directory on the way belong to root or the caller, and
 * nobody else can write them. It is opened once: what is looked at is what is read.
 * @throws {PgbkError} `config`.
 */
export function readTrustedFile(file: string, trust: Trust): string {
  const { real, fault } = walkTrusted(file, trust)
  if (fault) throw notTrusted(file, fault)
  // No link can have come in between, but by those who are trusted.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const descriptor = attempt(file, () => openSync(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  try {
    checkOpened(file, real, descriptor, trust)
    return attempt(file, () => readAll(file, descriptor))
  } finally {
    closeSync(descriptor)
  }
}

export function notTrusted(file: string, { path, reason, remedy }: Untrusted): PgbkError {
  const message = path === file ? `${file} ${reason}` : `${file} cannot be trusted: ${path} ${reason}`
  const rule = `${names}: it, and every directory above it, must belong to you or to root, and nobody else may write there.`
  return new PgbkError('config', message, {
    hint: remedy === undefined ? `${rule} Name another with --config.` : `${rule}\n  ${remedy}`,
  })
}

/** The path was looked at before: what is opened must be just as good. */
function checkOpened(file: string, real: string, descriptor: number, trust: Trust): void {
  const found = fstatSync(descriptor)
  const hint = 'Name another with --config.'
  if (!found.isFile()) throw new PgbkError('config', `${file} is not a regular file`, { hint })
  // In /tmp, anybody can give somebody else's file a further name.
  const isLinked = found.nlink > 1 && isShared(dirname(real))
  if (!trust.uids.includes(found.uid) || isOpenToOthers(found, trust) || isLinked)
    throw notTrusted(file, { path: file, reason: "is not its owner's alone", remedy: undefined })
  if (found.size > mostBytes) throw tooLong(file)
}

/** It may grow while it is read. */
function readAll(file: string, descriptor: number): string {
  const bytes = Buffer.alloc(mostBytes + 1)
  let length = 0
  for (let read = 1; read > 0 && length < bytes.length; length += read)
    read = readSync(descriptor, bytes, length, bytes.length - length, null)
  if (length > mostBytes) throw tooLong(file)
  return bytes.toString('utf8', 0, length)
}

function tooLong(file: string): PgbkError {
  return new PgbkError('config', `${file} is larger than 1 MB, and cannot be a configuration file`)
}

function attempt<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw new PgbkError('config', `cannot read ${file}: ${systemCode(cause) ?? messageOf(cause)}`, { cause })
  }
}
