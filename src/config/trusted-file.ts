import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import {
  isOpenToOthers,
  isShared,
  type Trust,
  type Untrusted,
  walkTrusted,
} from '../system/paths/trusted-path.js'
import { shellWord } from '../text/shell-word.js'

/** What a file is that is read only where nobody else could have written it. */
interface Purpose {
  /** Goes on after `cannot be `. */
  noun: string
  /** Why it must be trusted. */
  why: string
  /** How another one is named. */
  another: string
  /** Who makes one closes it to all others. */
  isSecret?: boolean
}

const configuration: Purpose = {
  noun: 'a configuration file',
  why: 'A configuration names programs to run',
  another: 'Name another with --config.',
}

const identities: Purpose = {
  noun: 'a file of identities',
  why: 'An identity is secret',
  another: 'Name another with --identity.',
  isSecret: true,
}

const mostBytes = 1024 * 1024

/**
 * The text of a configuration file, as ssh reads its own: it and every directory on the way belong to root or the caller, and
 * nobody else can write them. It is opened once: what is looked at is what is read.
 * @throws {PgbkError} `config`.
 */
export function readTrustedFile(file: string, trust: Trust): string {
  return readFor(configuration, file, trust).content.toString()
}

export interface IdentityFile {
  content: Buffer
  /** Its mode, where others can read it, too. */
  openMode?: number
}

/** The same of a file with identities. @throws {PgbkError} `config`. */
export function readIdentityFile(file: string, trust: Trust): IdentityFile {
  const { content, mode } = readFor(identities, file, trust)
  return (mode & 0o077) === 0 ? { content } : { content, openMode: mode & 0o777 }
}

/** What is wrong with identities in clear that others can read. */
export function readByOthers(file: string, openMode: number): PgbkError {
  return new PgbkError('config', `${file} ${canBeRead(openMode)}`, {
    hint: `Whoever has read it can decrypt your backups. Close it, and use a new one where others may have:\n  ${closing(file)}`,
  })
}

/** The same of those that a passphrase protects, as a warning: `age -p -o` makes such a file. */
export function sealedButRead(file: string, openMode: number): string {
  return `${file} ${canBeRead(openMode)}, who can try passphrases on a copy of it: ${closing(file)}`
}

function canBeRead(openMode: number): string {
  return `can be read by others (mode ${openMode.toString(8)})`
}

/** Whether a file of identities may be made there. @throws {PgbkError} `config` where somebody else could put another in its place. */
export function checkIdentityPlace(file: string, trust: Trust): void {
  const { fault } = walkTrusted(dirname(file), trust)
  if (fault) throw untrusted(file, fault, identities)
}

function readFor(purpose: Purpose, file: string, trust: Trust): { content: Buffer; mode: number } {
  const { real, fault } = walkTrusted(file, trust)
  if (fault) throw untrusted(file, fault, purpose)
  // No link can have come in between, but by those who are trusted.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const descriptor = attempt(file, () => openSync(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  try {
    const found = fstatSync(descriptor)
    checkOpened(file, { path: real, found }, trust, purpose)
    return { content: attempt(file, () => readAll(file, descriptor, purpose)), mode: found.mode }
  } finally {
    closeSync(descriptor)
  }
}

export function notTrusted(file: string, fault: Untrusted): PgbkError {
  return untrusted(file, fault, configuration)
}

function untrusted(file: string, { path, reason, ...fault }: Untrusted, purpose: Purpose): PgbkError {
  const { why, another, isSecret } = purpose
  const remedy = isSecret && path === file ? closing(file) : fault.remedy
  const message = path === file ? `${file} ${reason}` : `${file} cannot be trusted: ${path} ${reason}`
  const rule = `${why}: it, and every directory above it, must belong to you or to root, and nobody else may write there.`
  return new PgbkError('config', message, {
    hint: remedy === undefined ? `${rule} ${another}` : `${rule}\n  ${remedy}`,
  })
}

/** The path was looked at before: what is opened must be just as good. */
function checkOpened(
  file: string,
  { path, found }: { path: string; found: Stats },
  trust: Trust,
  purpose: Purpose,
): void {
  const { another: hint } = purpose
  if (!found.isFile()) throw new PgbkError('config', `${file} is not a regular file`, { hint })
  // In /tmp, anybody can give somebody else's file a further name.
  const isLinked = found.nlink > 1 && isShared(dirname(path))
  if (!trust.uids.includes(found.uid) || isOpenToOthers(found, trust) || isLinked)
    throw untrusted(file, { path: file, reason: "is not its owner's alone", remedy: undefined }, purpose)
  if (found.size > mostBytes) throw tooLong(file, purpose)
}

function closing(file: string): string {
  return `chmod 600 ${shellWord(file)}`
}

/** It may grow while it is read. */
function readAll(file: string, descriptor: number, purpose: Purpose): Buffer {
  const bytes = Buffer.alloc(mostBytes + 1)
  let length = 0
  for (let read = 1; read > 0 && length < bytes.length; length += read)
    read = readSync(descriptor, bytes, length, bytes.length - length, null)
  if (length > mostBytes) throw tooLong(file, purpose)
  return bytes.subarray(0, length)
}

function tooLong(file: string, { noun }: Purpose): PgbkError {
  return new PgbkError('config', `${file} is larger than 1 MB, and cannot be ${noun}`)
}

function attempt<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    throw new PgbkError('config', `cannot read ${file}: ${systemCode(cause) ?? messageOf(cause)}`, { cause })
  }
}
