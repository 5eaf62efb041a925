import { constants } from 'node:fs'
import { lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import { copyOneFile } from '../system/files/copy-file.js'
import { syncTree } from '../system/files/durable.js'
import { fileOf } from '../wal-segments/segment-forms.js'

export interface SeedOptions {
  pgWal: string
  archive: string
  segments: string[]
  segmentSize: number
  /** Whether the last segment was finished by the server, and not just filled up with zeros by pg_basebackup. */
  lastIsComplete: boolean
}

/**
 * Starts the WAL archive of a backup with the segments that pg_basebackup streamed, and flushes it to disk. They are
 * copied, never linked: a server that is started in the snapshot recycles its own. An unfinished last segment is kept as
 * `.partial`, or a receiver would take it for complete and go on after it.
 * @throws {PgbkError} `damaged` when a segment is missing or has a wrong size.
 */
export async function seedWalArchive(options: SeedOptions): Promise<void> {
  const { pgWal, archive, segments, segmentSize, lastIsComplete } = options
  await mkdir(archive)
  for (const name of segments) {
    const source = join(pgWal, name)
    await checkSegment(source, segmentSize)
    const isPartial = name === segments.at(-1) && !lastIsComplete
    await copyOneFile(
      source,
      join(archive, fileOf(name, isPartial ? 'partial' : 'raw')),
      constants.COPYFILE_FICLONE,
    )
  }
  for (const name of await readdir(pgWal)) {
    if (name.endsWith('.history'))
      await copyOneFile(join(pgWal, name), join(archive, name), constants.COPYFILE_FICLONE)
  }
  await syncTree(archive)
}

async function checkSegment(path: string, segmentSize: number): Promise<void> {
  const found = await lstat(path).catch((cause) => {
    throw new PgbkError('damaged', `WAL segment ${path} is missing from the backup`, { cause })
  })
  if (!found.isFile() || found.size !== segmentSize) {
    throw new PgbkError('damaged', `WAL segment ${path} has ${found.size} bytes instead of ${segmentSize}`)
  }
}
