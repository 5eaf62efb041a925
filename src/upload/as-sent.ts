import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, constants as zlib } from 'node:zlib'
import { copyOneFile } from '../system/files/copy-file.js'
import { piecesOf } from '../system/files/read-small.js'
import { fileOf, isUnfinishedFile, segmentFileOf } from '../wal-segments/segment-forms.js'

/** What a file of a WAL archive is called in a store: a segment that lies raw here goes there compressed. */
export function nameAsSent(file: string): string {
  const segment = segmentFileOf(file)
  return segment?.form === 'raw' ? fileOf(segment.name, 'gzip') : file
}

/**
 * Works with a file of a WAL archive as it is sent: the same bytes for as long as that takes, and in every try.
 * @param path what somebody may write to is copied, so that all of it is of one moment.
 * @param asideOf where to put a file that is to be sent in the place of another one, until `work` is done.
 */
export async function asSent<T>(
  path: string,
  asideOf: (file: string) => string,
  signal: AbortSignal,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const file = basename(path)
  const name = nameAsSent(file)
  if (name === file && !isUnfinishedFile(file)) return work(path)
  const aside = asideOf(name)
  await rm(aside, { force: true })
  try {
    if (name === file) await copyOneFile(path, aside, constants.COPYFILE_FICLONE)
    else await compress(path, aside, signal)
    return await work(aside)
  } finally {
    await rm(aside, { force: true })
  }
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants

async function compress(path: string, to: string, signal: AbortSignal): Promise<void> {
  const file = await open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  const gzip = createGzip({ level: zlib.Z_BEST_SPEED })
  await pipeline(Readable.from(piecesOf(path)), gzip, file.createWriteStream(), { signal })
}
