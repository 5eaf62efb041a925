import { constants } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PgbkError } from '../../errors.js'
import { copyOneFile } from '../../system/files/copy-file.js'
import { syncPath } from '../../system/files/durable.js'
import { inParallel } from '../../system/files/in-parallel.js'
import type { ArchivedWal } from '../../wal-archive/archived-wal.js'
import { withSegmentFile } from '../../wal-segments/segment-file.js'
import { copyFailed } from './copy-cluster.js'

interface CopyArchiveOptions {
  /** The number of the last segment that is needed. */
  lastSegment: bigint
  signal: AbortSignal
}

/**
 * Copies what a recovery needs of a WAL archive into a new directory, flushed to disk. A receiver may be at work there: what it
 * renames meanwhile is copied under its new name.
 * @throws {PgbkError} `disk-full`, `damaged` when a segment has gone, or `failed`; the signal's reason when aborted.
 */
export async function copyArchive(
  wal: ArchivedWal,
  to: string,
  { lastSegment, signal }: CopyArchiveOptions,
): Promise<void> {
  const copy = async (path: string) => {
    signal.throwIfAborted()
    const target = join(to, basename(path))
    await copyOneFile(path, target, constants.COPYFILE_FICLONE)
    await syncPath(target)
  }
  try {
    await mkdir(to)
    for (const history of wal.histories.values()) await copy(history)
    const needed = wal.chain.filter(({ segment }) => segment <= lastSegment)
    await inParallel(needed, 4, (segment) => withSegmentFile(segment, copy))
    await syncPath(to)
  } catch (cause) {
    signal.throwIfAborted()
    throw cause instanceof PgbkError ? cause : copyFailed(cause)
  }
}
