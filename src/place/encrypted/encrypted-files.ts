import type { StoredBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { decrypting } from '../../encryption/decrypt.js'
import { openFileKey } from '../../encryption/file-key.js'
import type { AgeHeader } from '../../encryption/header.js'
import { openEncrypted, type ReadRange } from '../../encryption/open-encrypted.js'
import { mostBytes } from '../../system/files/read-small.js'
import { type BytePath, bytePath, shownPath } from '../../system/paths/byte-path.js'
import { imageName } from '../contract/names.js'
import type { FileRange, Place } from '../contract/place.js'
import { encryptedName } from './encrypted-names.js'
import { readUpTo } from './read-up-to.js'

type TakeBytes<T> = (bytes: AsyncIterable<Buffer>) => Promise<T>

/** Files of encrypted backups, as they were before they were encrypted. */
export interface EncryptedFiles {
  /** From its beginning to its end, which costs no request for the header alone. */
  readAll<T>(backup: StoredBackup, name: BytePath, take: TakeBytes<T>): Promise<T>
  readRange<T>(backup: StoredBackup, name: BytePath, range: FileRange, take: TakeBytes<T>): Promise<T>
  readRecord(backup: StoredBackup): Promise<Buffer>
}

const recordName = bytePath('backup.json')

/** @param inner where they lie. */
export function encryptedFiles(
  inner: Pick<Place, 'name' | 'read'>,
  identities: Context['identities'],
): EncryptedFiles {
  const images = new Map<string, Promise<ReadRange>>()
  const records = new Map<string, Buffer>()
  const lying = (backup: StoredBackup, name: BytePath) => {
    const file = `${shownPath(encryptedName(name))} of backup ${backup.id} in ${inner.name}`
    const read: ReadRange = (range, take) => inner.read(backup, encryptedName(name), range, take)
    const open = async (header: AgeHeader) => {
      const { recipients } = backup.summary.encrypted ?? {}
      return (await openFileKey(header, await identities(), file, recipients)).payloadKey
    }
    return { file, read, open }
  }
  /** Of an image many ranges are read; what else there is may be another file the next time. */
  const opened = (backup: StoredBackup, name: BytePath): Promise<ReadRange> => {
    const known = name === imageName ? images.get(backup.id) : undefined
    if (known) return known
    const { file, read, open } = lying(backup, name)
    const reading = openEncrypted(read, open, file)
    if (name !== imageName) return reading
    images.set(backup.id, reading)
    reading.catch(() => images.delete(backup.id))
    return reading
  }
  const readAll = <T>(backup: StoredBackup, name: BytePath, take: TakeBytes<T>): Promise<T> => {
    const { file, read, open } = lying(backup, name)
    return read({ from: 0 }, (bytes) => take(decrypting(bytes, open, file)))
  }
  return {
    readAll,
    readRange: async (backup, name, range, take) => (await opened(backup, name))(range, take),
    async readRecord(backup) {
      const what = `the record of ${backup.id}`
      const record =
        records.get(backup.id) ??
        (await readAll(backup, recordName, (bytes) => readUpTo(mostBytes.record, bytes, what)))
      records.set(backup.id, record)
      return record
    },
  }
}
