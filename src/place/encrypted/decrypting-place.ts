import type { LocalBackup, StoredBackup } from '../../catalog/backup.js'
import type { EncryptedFacts } from '../../catalog/entries/clear-record.js'
import type { Context } from '../../context.js'
import { decrypting } from '../../encryption/decrypt.js'
import { openFileKey } from '../../encryption/file-key.js'
import type { AgeHeader } from '../../encryption/header.js'
import { openEncrypted, type ReadRange } from '../../encryption/open-encrypted.js'
import { messageOf, PgbkError } from '../../errors.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { mostBytes } from '../../system/files/read-small.js'
import { type BytePath, bytePath, shownPath } from '../../system/paths/byte-path.js'
import type { FileWriter, IncomingFile } from '../contract/file-writer.js'
import { imageName } from '../contract/names.js'
import type { Place } from '../contract/place.js'
import { archiveDecrypted } from './archive-decrypted.js'
import { decryptedListing, encryptedName } from './encrypted-names.js'
import { readUpTo } from './read-up-to.js'

const recordName = bytePath('backup.json')

/** Each may be a connection of its own. */
const atOnce = 4

/**
 * A place whose encrypted backups are read as they were before: names, bytes, ranges, records. A list takes no key; what is read first
 * of a backup does. A backup that is not encrypted passes through. An encrypted one is none of this machine, even where its files are.
 */
export function decryptingPlace(
  inner: Place,
  { identities, progress, signal }: Pick<Context, 'identities' | 'progress' | 'signal'>,
): Place {
  const encrypted = new Map<string, { backup: StoredBackup; facts: EncryptedFacts }>()
  const images = new Map<string, Promise<ReadRange>>()
  const records = new Map<string, Buffer>()
  const find = ({ id }: StoredBackup) => encrypted.get(id)

  const openerOf = ({ id }: StoredBackup, name: BytePath) => {
    const file = `${shownPath(encryptedName(name))} of backup ${id} in ${inner.name}`
    const open = async (header: AgeHeader) => {
      const known = await identities()
      return (await openFileKey(header, known, file, encrypted.get(id)?.facts.recipients)).payloadKey
    }
    return { file, open }
  }
  const readStored = (backup: StoredBackup, name: BytePath): ReadRange => {
    return (range, take) => inner.read(backup, encryptedName(name), range, take)
  }
  /** Of an image many ranges are read; what else there is may be another file the next time. */
  const opened = async (backup: StoredBackup, name: BytePath): Promise<ReadRange> => {
    const { file, open } = openerOf(backup, name)
    const known = name === imageName ? images.get(backup.id) : undefined
    if (known) return known
    const reading = openEncrypted(readStored(backup, name), open, file)
    if (name !== imageName) return reading
    images.set(backup.id, reading)
    reading.catch(() => images.delete(backup.id))
    return reading
  }
  /** From its beginning to its end, which costs no request for the header alone. */
  const readAll = async <T>(
    backup: StoredBackup,
    name: BytePath,
    take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T> => {
    const { file, open } = openerOf(backup, name)
    return readStored(backup, name)({ from: 0 }, (bytes) => take(decrypting(bytes, open, file)))
  }
  const readRecord = async (backup: StoredBackup): Promise<Buffer> => {
    const record =
      records.get(backup.id) ??
      (await readAll(backup, recordName, (bytes) =>
        readUpTo(mostBytes.record, bytes, `the record of ${backup.id}`),
      ))
    records.set(backup.id, record)
    return record
  }
  return {
    name: inner.name,
    directory: inner.directory,
    locationOf: inner.locationOf,
    async list() {
      const catalog = await inner.list()
      encrypted.clear()
      const backups = catalog.backups.map((backup) => {
        const facts = backup.summary.encrypted
        if (!facts) return backup
        encrypted.set(backup.id, { backup, facts })
        const { directory: _here, ...stored } = backup as StoredBackup & Partial<LocalBackup>
        return stored
      })
      return { ...catalog, backups }
    },
    async readRecord(backup) {
      const found = find(backup)
      return found ? readRecord(found.backup) : inner.readRecord(backup)
    },
    async files(backup) {
      const found = find(backup)
      return found ? decryptedListing(await inner.files(found.backup)) : inner.files(backup)
    },
    async read(backup, name, range, take) {
      const found = find(backup)
      if (!found) return inner.read(backup, name, range, take)
      if (range.from === 0 && range.length === undefined) return readAll(found.backup, name, take)
      return (await opened(found.backup, name))(range, take)
    },
    async transfer(backup, names, writer) {
      const found = find(backup)
      if (!found) return inner.transfer(backup, names, writer)
      const gone: string[] = []
      progress.step('copying')
      await inParallel(names, atOnce, async (name) => {
        signal.throwIfAborted()
        try {
          await readAll(found.backup, name, (pieces) => writeFile(pieces, name, writer))
        } catch (error) {
          if (!(error instanceof PgbkError) || error.code !== 'not-found') throw error
          gone.push(messageOf(error))
        }
      })
      return gone.slice(0, 5).join('; ')
    },
    async archive(backup, listing, take) {
      const found = find(backup)
      if (!found) return inner.archive(backup, listing, take)
      progress.step('archiving')
      const record = await readRecord(found.backup)
      return archiveDecrypted(
        { id: backup.id, listing, record, imageBytes: found.facts.image_bytes },
        (name, read) => readAll(found.backup, name, read),
        take,
      )
    },
  }
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
