import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import type { SystemUser } from '../../context.js'
import { messageOf, systemCode } from '../../errors.js'
import { shellWord } from '../../text/shell-word.js'

/** Who may change what is believed. */
export interface Trust {
  /** Owners of files, directories and links. */
  uids: readonly number[]
  /** Groups that may write: nobody is in them who is not trusted anyway. */
  gids: readonly number[]
}

export interface Untrusted {
  /** The file, directory or link at fault: the first on the way, from `/` on. */
  path: string
  /** Goes on after its name: `belongs to another user (uid 1000)`. */
  reason: string
  /** A command that fixes it, where there is one that is safe to give. */
  remedy: string | undefined
}

type WalkedPath = { real: string; fault?: undefined } | { real?: undefined; fault: Untrusted }

/** What a user may believe: root's, and their own. */
export function trustOf(user: Pick<SystemUser, 'uid' | 'gid' | 'name'>): Trust {
  return { uids: [...new Set([0, user.uid])], gids: [...privateGroupOf(user), ...administrators] }
}

/** macOS's group admin, which Homebrew opens its directories to, becomes root by sudo. */
const administrators = platform() === 'darwin' ? [80] : []

/**
 * Debian and others give every user a group of the same name with no other member, and a umask of 002: home directories and
 * checkouts are then open to that group, and still to nobody else. A primary group that users share is not among these.
 */
function privateGroupOf({ gid, name }: Pick<SystemUser, 'gid' | 'name'>): number[] {
  const groups = textOf('/etc/group').split('\n')
  const entry = groups.map((line) => line.split(':')).find(([group]) => group === name)
  const members = (entry?.[3] ?? '').split(',').filter((member) => member !== '' && member !== name)
  const others = textOf('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([user, , , group]) => group === String(gid) && user !== name)
  return Number(entry?.[2]) === gid && members.length === 0 && others.length === 0 ? [gid] : []
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/**
 * The first on the way to an absolute path that somebody else could change, or put something else in the place of: every
 * directory from `/` on, every symbolic link on the way and all that it leads through, and the last one itself. As ssh's
 * StrictModes; a sticky directory such as /tmp is fine, for what is in it is looked at too. What is not there is no fault.
 */
export function firstUntrusted(path: string, trust: Trust): Untrusted | undefined {
  return walkTrusted(path, trust).fault
}

/** Of the last one on the path alone, whatever is above it; a link is not followed. */
export function untrustedItself(path: string, trust: Trust): Untrusted | undefined {
  return faultAt(path, statOf(path), trust)
}

/** As `firstUntrusted`; without a fault, the path with no link in it: nobody else can make another of it. */
export function walkTrusted(path: string, trust: Trust): WalkedPath {
  const atTop = faultAt('/', statOf('/'), trust)
  if (atTop) return { fault: atTop }
  const rest = path.split('/')
  let real = '/'
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() ?? ''
    const next = join(real, name)
    const found = statOf(next)
    if (found === undefined) return { real: join(next, ...rest) }
    const fault = faultAt(next, found, trust)
    if (fault) return { fault }
    if (typeof found === 'string' || !found.isSymbolicLink()) {
      real = next
      continue
    }
    links += 1
    if (links > mostLinks)
      return { fault: { path: next, reason: 'is one of too many links', remedy: undefined } }
    const target = readlinkSync(next)
    if (target.startsWith('/')) real = '/'
    rest.unshift(...target.split('/'))
  }
  return { real }
}

/** Whether others can put files into a directory though they cannot touch those in it: /tmp. */
export function isShared(directory: string): boolean {
  const found = statOf(directory)
  return typeof found === 'object' && (found.mode & 0o1000) !== 0 && (found.mode & 0o022) !== 0
}

/** As Linux. */
const mostLinks = 40

/** Undefined where there is nothing; a text that says why it cannot be looked at. */
function statOf(path: string): Stats | string | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    const code = systemCode(error)
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? undefined
      : `cannot be looked at (${code ?? messageOf(error)})`
  }
}

function faultAt(path: string, found: Stats | string | undefined, trust: Trust): Untrusted | undefined {
  if (found === undefined) return undefined
  if (typeof found === 'string') return { path, reason: found, remedy: undefined }
  if (!trust.uids.includes(found.uid))
    return { path, reason: `belongs to another user (uid ${found.uid})`, remedy: undefined }
  if (found.isSymbolicLink() || !isOpenToOthers(found, trust)) return undefined
  const reason = `can be written by others (mode ${(found.mode & 0o7777).toString(8)})`
  return { path, reason, remedy: `chmod go-w ${shellWord(path)}` }
}

/**
 * Whether others can write there. In a sticky directory they cannot touch what is not theirs. Root's umask leaves no file open to the
 * group root: one that is was opened by somebody, for somebody.
 */
export function isOpenToOthers(found: Stats, { gids }: Trust): boolean {
  if (found.isDirectory() && (found.mode & 0o1000) !== 0) return false
  const isPrivate = gids.includes(found.gid) && (found.isDirectory() || found.gid !== 0)
  return (found.mode & (isPrivate ? 0o002 : 0o022)) !== 0
}
