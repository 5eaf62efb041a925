import { messageOf, PgbkError } from '../../errors.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'
import type { Listing } from '../contract/listing.js'
import { imageName } from '../contract/names.js'
import { archivedEntries } from '../store/archived-entries.js'
import { piped } from '../store/piped.js'
import { type TarFile, writeTar } from '../store/write-tar.js'
import { readUpTo } from './read-up-to.js'

interface ArchivedFiles {
  id: string
  listing: Listing
  record: Buffer
  imageBytes: number
}

type TakeBytes<T> = (bytes: AsyncIterable<Buffer>) => Promise<T>
type ReadFile = <T>(name: BytePath, take: TakeBytes<T>) => Promise<T>

/** A segment of WAL has at most 1 GB (IsValidWalSegSize in src/include/access/xlog_internal.h); one that is compressed hardly more. */
const mostOfWal = (1 << 30) + (1 << 20)

/**
 * A tar of a backup as it was before it was encrypted. Only of the image it is known how large it is before it has come: other files are
 * kept in memory, one at a time.
 * @returns what is not there any more.
 */
export async function archiveDecrypted(
  { id, listing, record, imageBytes }: ArchivedFiles,
  read: ReadFile,
  take: TakeBytes<void>,
): Promise<string> {
  const gone: string[] = []
  const fileOf = async (name: BytePath, inArchive: BytePath): Promise<TarFile | string> => {
    if (name === imageName) return image(read, imageBytes, id)
    const bytes = await whatIsThere(() =>
      read(name, (pieces) => readUpTo(mostOfWal, pieces, shownPath(name))),
    )
    return bytes instanceof PgbkError ? `${shownPath(inArchive)}: ${messageOf(bytes)}` : inMemory(bytes)
  }
  const archived = { id, listing, record: inMemory(record) }
  const entries = archivedEntries(archived, fileOf, (complaint) => void gone.push(complaint))
  await piped((write) => writeTar(entries, write), take)
  return gone.join('\n')
}

async function whatIsThere(read: () => Promise<Buffer>): Promise<Buffer | PgbkError> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'not-found') return error
    throw error
  }
}

function inMemory(bytes: Buffer): TarFile {
  return { bytes: bytes.length, changedAt: new Date(), read: (write) => write(bytes) }
}

function image(read: ReadFile, bytes: number, id: string): TarFile {
  return {
    bytes,
    changedAt: new Date(0),
    read: (write) =>
      read(imageName, async (pieces) => {
        let read = 0
        for await (const piece of pieces) {
          read += piece.length
          if (read > bytes) break
          await write(piece)
        }
        if (read === bytes) return
        throw new PgbkError(
          'damaged',
          `the image of backup ${id} has not the ${bytes} bytes that its record tells`,
        )
      }),
  }
}
