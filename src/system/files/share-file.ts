import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { systemCode } from '../../errors.js'
import { type BytePath, bytePath, joinBytes, systemPath } from '../paths/byte-path.js'
import { readRange } from './read-fully.js'
import { openRegularFile } from './read-small.js'

/** PostgreSQL's, of which blocks of a file system are a part: what differs is told by the page. */
const pageBytes = 8192
const pieceBytes = 1 << 20

/** Buffers for one file at a time. */
export interface ShareBuffers {
  older: Buffer
  newer: Buffer
}

export function shareBuffers(): ShareBuffers {
  return { older: Buffer.allocUnsafe(pieceBytes), newer: Buffer.allocUnsafe(pieceBytes) }
}

/** From, to: bytes. */
type Range = [number, number]

/**
 * Makes a file share the blocks of an older one wherever both have the same bytes, which are read from both: it becomes a clone of the
 * older one, into which what differs is written, and takes its own place in one step. Contents, mode and time stay what they were.
 * Left alone is what has less than a quarter in common, or less than a block. Nothing is flushed.
 * @returns the bytes that are shared now.
 * @throws a system error, with the file as it was: `ENOTSUP`, `EXDEV` and their like where the file system has no reflinks, or another one.
 */
export async function shareFile(older: BytePath, newer: BytePath, buffers: ShareBuffers): Promise<number> {
  const [before, now] = [older, newer].map((path) => lstatSync(systemPath(path), { throwIfNoEntry: false }))
  if (!before?.isFile() || !now?.isFile() || Math.min(before.size, now.size) < smallest) return 0
  const from = await openRegularFile(systemPath(newer))
  try {
    const differing = await differingRanges(older, from, now.size, buffers)
    const shared = now.size - differing.reduce((sum, [start, end]) => sum + end - start, 0)
    if (shared < smallest || shared * 4 < now.size) return 0
    await replaceByClone({ older, newer, from, now, differing }, buffers.newer)
    return shared
  } finally {
    await from.close()
  }
}

/** A block. */
const smallest = 4096

/** Where the newer file is another than the older one, page by page, in order; what lies side by side is one. */
async function differingRanges(
  older: BytePath,
  newer: FileHandle,
  size: number,
  buffers: ShareBuffers,
): Promise<Range[]> {
  const file = await openRegularFile(systemPath(older))
  const ranges: Range[] = []
  try {
    for (let at = 0; at < size; at += pieceBytes) {
      const length = Math.min(pieceBytes, size - at)
      const [there, here] = await Promise.all([
        readRange(file, at, buffers.older, length),
        readRange(newer, at, buffers.newer, length),
      ])
      if (here < length) throw new RangeError(`${older} has become shorter while it was read`)
      addDifferences(ranges, at, buffers.older.subarray(0, there), buffers.newer.subarray(0, here))
    }
    return ranges
  } finally {
    await file.close()
  }
}

function addDifferences(ranges: Range[], at: number, older: Buffer, newer: Buffer): void {
  if (older.equals(newer)) return
  for (let from = 0; from < newer.length; from += pageBytes) {
    const to = Math.min(from + pageBytes, newer.length)
    if (to <= older.length && newer.compare(older, from, to, from, to) === 0) continue
    const last = ranges.at(-1)
    if (last && last[1] === at + from) last[1] = at + to
    else ranges.push([at + from, at + to])
  }
}

interface Replacement {
  older: BytePath
  newer: BytePath
  /** The newer one, open. */
  from: FileHandle
  now: Stats
  differing: Range[]
}

async function replaceByClone(
  { older, newer, from, now, differing }: Replacement,
  buffer: Buffer,
): Promise<void> {
  const draft = systemPath(`${newer}${draftEnd}` as BytePath)
  try {
    copyFileSync(systemPath(older), draft, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    const file = openSync(draft, constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      ftruncateSync(file, now.size)
      for (const [start, end] of differing)
        for (let at = start; at < end; ) {
          const length = await readRange(from, at, buffer, Math.min(buffer.length, end - at))
          if (length === 0) throw new RangeError(`${newer} has become shorter while it was read`)
          for (let done = 0; done < length; ) done += writeSync(file, buffer, done, length - done, at + done)
          at += length
        }
      fchmodSync(file, now.mode & 0o7777)
      futimesSync(file, now.atimeMs / 1000, now.mtimeMs / 1000)
    } finally {
      closeSync(file)
    }
    renameSync(draft, systemPath(newer))
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** No file of PostgreSQL's is named so. */
const draftEnd = '.pgbk-clone'

/**
 * Whether files of one directory can share blocks with those of another.
 * @param file of the first, with bytes in it, which is cloned for a moment.
 * @throws a system error for any other reason.
 */
export function canShare(file: string, directory: string): boolean {
  const probe = systemPath(joinBytes(bytePath(directory), bytePath(`.probe${draftEnd}`)))
  try {
    copyFileSync(file, probe, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if (lacksReflinks(error)) return false
    throw error
  } finally {
    rmSync(probe, { force: true })
  }
}

/** Whether a clone has failed because the file system makes none, or only within itself. */
export function lacksReflinks(error: unknown): boolean {
  return ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY', 'EXDEV'].includes(systemCode(error) ?? '')
}
