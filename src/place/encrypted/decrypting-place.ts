import type { LocalBackup, StoredBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { inParallel } from '../../system/files/in-parallel.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import type { FileWriter, IncomingFile } from '../contract/file-writer.js'
import type { Place } from '../contract/place.js'
import { archiveDecrypted } from './archive-decrypted.js'
import { type EncryptedFiles, encryptedFiles } from './encrypted-files.js'
import { decryptedListing } from './encrypted-names.js'

/** Each may be a connection of its own. */
const atOnce = 4

/**
 * A place whose encrypted backups are read as they were before: names, bytes, ranges, records. A list takes no key; what is read first
 * of a backup does. A backup that is not encrypted passes through. An encrypted one is none of this machine, even where its files are.
 */
export function decryptingPlace(
  inner: Place,
  context: Pick<Context, 'identities' | 'progress' | 'signal'>,
): Place {
  const files = encryptedFiles(inner, context.identities)
  /** As the inner place has listed them: those of this machine have a directory there. */
  const listed = new Map<string, StoredBackup>()
  const lying = (backup: StoredBackup) => {
    if (!backup.summary.encrypted) return undefined
    return listed.get(backup.id) ?? backup
  }
  return {
    name: inner.name,
    directory: inner.directory,
    locationOf: inner.locationOf,
    async list() {
      const catalog = await inner.list()
      listed.clear()
      const backups = catalog.backups.map((backup) => {
        if (!backup.summary.encrypted) return backup
        listed.set(backup.id, backup)
        const { directory: _here, ...stored } = backup as StoredBackup & Partial<LocalBackup>
        return stored
      })
      return { ...catalog, backups }
    },
    async readRecord(backup) {
      const found = lying(backup)
      return found ? files.readRecord(found) : inner.readRecord(backup)
    },
    async files(backup) {
      const found = lying(backup)
      return found ? decryptedListing(await inner.files(found)) : inner.files(backup)
    },
    async read(backup, name, range, take) {
      const found = lying(backup)
      if (!found) return inner.read(backup, name, range, take)
      if (range.from === 0 && range.length === undefined) return files.readAll(found, name, take)
      return files.readRange(found, name, range, take)
    },
    async transfer(backup, names, writer) {
      const found = lying(backup)
      return found
        ? transferDecrypted({ backup: found, files, names, writer }, context)
        : inner.transfer(backup, names, writer)
    },
    async archive(backup, listing, take) {
      const found = lying(backup)
      if (!found) return inner.archive(backup, listing, take)
      context.progress.step('archiving')
      const record = await files.readRecord(found)
      const imageBytes = found.summary.encrypted?.image_bytes ?? 0
      return archiveDecrypted(
        { id: backup.id, listing, record, imageBytes },
        (name, read) => files.readAll(found, name, read),
        take,
      )
    },
  }
}

interface Transfer {
  backup: StoredBackup
  files: EncryptedFiles
  names: BytePath[]
  writer: FileWriter
}

/** @returns what is not there any more. */
async function transferDecrypted(
  { backup, files, names, writer }: Transfer,
  { progress, signal }: Pick<Context, 'progress' | 'signal'>,
): Promise<string> {
  const gone: string[] = []
  progress.step('copying')
  await inParallel(names, atOnce, async (name) => {
    signal.throwIfAborted()
    try {
      await files.readAll(backup, name, (pieces) => writeFile(pieces, name, writer))
    } catch (error) {
      if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
      gone.push(messageOf(error))
    }
  })
  return gone.slice(0, 5).join('; ')
}

/** A file begins with its first piece: of one that is gone there is none. */
async function writeFile(pieces: AsyncIterable<Buffer>, name: BytePath, writer: FileWriter): Promise<void> {
  let file: IncomingFile | undefined
  try {
    for await (const piece of pieces) {
      file ??= writer.begin(name, new Date())
      file.write(piece)
    }
  } catch (error) {
    file?.abandon()
    throw error
  }
  file ??= writer.begin(name, new Date())
  file.finish()
}
