import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fsync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { chmod, link, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { systemCode } from '../../errors.js'
import { type BytePath, bytePath, systemPath } from '../paths/byte-path.js'
import { namesIn } from '../paths/names-in.js'
import { inParallel } from './in-parallel.js'
import { syncFileSystem } from './sync-file-system.js'
import { treeEntries } from './walk-tree.js'

const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants
const writeFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK
const appendFlags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK

/** Writes a file, readable by its owner alone, and flushes it to disk. Never through a link, nor into a pipe. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, writeFlags, 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Adds text at the end of a file that is its owner's alone, in one piece where several processes do so. Not flushed: a crash may keep
 * a part of it.
 */
export async function appendTo(path: string, text: string): Promise<void> {
  const file = await open(path, appendFlags, 0o600)
  try {
    await file.write(text)
  } finally {
    await file.close()
  }
}

/**
 * Puts a file in the place of another, or of none, in one step: readers see the one or the other, whole. Of several processes that
 * do so at once, one comes last, and none fails.
 * @param mode for files that others are to read; else they are their owner's alone.
 */
export async function replaceDurably(
  path: string,
  content: string | Uint8Array,
  mode?: number,
): Promise<void> {
  const draft = draftOf(path)
  try {
    await writeDurably(draft, content)
    if (mode !== undefined) await chmod(draft, mode)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await syncPath(dirname(path))
  await removeForgotten(dirname(path), draftStart(path))
}

/**
 * Puts a file where there is none, in one step.
 * @returns false where there is one, which stays.
 */
export async function placeDurably(path: string, content: string | Uint8Array): Promise<boolean> {
  const draft = draftOf(path)
  try {
    await writeDurably(draft, content)
    if (!(await placeIfAbsent(draft, path))) return false
  } finally {
    await rm(draft, { force: true })
  }
  await syncPath(dirname(path))
  return true
}

/** Not every file system has hard links, which alone never take another file's place. */
async function placeIfAbsent(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error
  }
  if (lstatSync(path, { throwIfNoEntry: false })) return false
  await rename(draft, path)
  return true
}

/** Like `replaceDurably`, for what means nothing after a crash of the machine: it is not flushed, and there when this returns. */
export function replaceFleetingly(path: string, content: string): void {
  const draft = draftOf(path)
  try {
    writeFileSync(draft, content, { mode: 0o600, flag: 'wx' })
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/**
 * Replaces a note that is only a help for the next time: where it cannot be written, it is not; and what a power cut leaves of it, no
 * reader takes for a note.
 */
export function tryToWriteNote(path: string, note: object): void {
  try {
    replaceFleetingly(path, `${JSON.stringify(note)}\n`)
  } catch {
    // It is only a help.
  }
}

function draftOf(path: string): string {
  return join(dirname(path), `${draftStart(path)}${process.pid}-${randomBytes(4).toString('hex')}${draftEnd}`)
}

function draftStart(path: string): string {
  return `.pgbk-${basename(path)}.`
}

const draftEnd = '.new'
/** A draft is renamed within moments: one that is older was left by a process that was killed. */
const forgottenAfterMs = 3_600_000

async function removeForgotten(directory: string, start: string): Promise<void> {
  for (const name of namesIn(directory, 'EACCES')) {
    if (!name.startsWith(start) || !name.endsWith(draftEnd)) continue
    const path = join(directory, name)
    const found = statSync(path, { throwIfNoEntry: false })
    const isForgotten = found !== undefined && Date.now() - found.mtimeMs > forgottenAfterMs
    if (isForgotten) await rm(path, { force: true }).catch(() => {}) // another user's, perhaps
  }
}

/** Flushes one file, or the entries of one directory, to disk. */
export async function syncPath(path: string | Buffer): Promise<void> {
  // Only the flush takes time: to hand the rest to other threads takes longer than to do it.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    await flush(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const flush = promisify(fsync)

/** Files of so many bytes are flushed by themselves, while others are written. */
export const flushedAlone = 32 << 20

const atOnce = 4

/** A tree of more is flushed with its whole file system, where others may have written too. */
const mostSingly = 2000

/** Flushes a directory with everything in it; symbolic links are not followed. */
export async function syncTree(directory: string): Promise<void> {
  const top = bytePath(directory)
  if (hasMore(treeEntries(top), mostSingly) && (await syncFileSystem(directory))) return
  await inParallel(flushable(top), atOnce, (path) => syncPath(systemPath(path)))
}

function* flushable(top: BytePath): Generator<BytePath> {
  for (const { path, kind } of treeEntries(top)) if (kind.isFile() || kind.isDirectory()) yield path
  yield top
}

function hasMore(items: Iterable<unknown>, most: number): boolean {
  let count = 0
  for (const _ of items) if (++count > most) return true
  return false
}
