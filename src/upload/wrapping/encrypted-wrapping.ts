import { clearRecordOf } from '../../catalog/entries/clear-record.js'
import { parseRecord } from '../../catalog/record.js'
import { encrypting } from '../../encryption/encrypt.js'
import { type FileKey, newFileKey } from '../../encryption/file-key.js'
import type { Recipient } from '../../encryption/recipient.js'
import { PgbkError } from '../../errors.js'
import type { Sendable } from '../../system/files/sendable.js'
import { encryptedReadme } from './encrypted-readme.js'
import { bytesSendable } from './file-sendable.js'
import { sha256Of } from './hashing.js'
import { keptKey, whoseOf } from './kept-key.js'
import type { Parcel, SameAgain, SentFile, WrappedRecord, Wrapping } from './wrapping.js'

/** All that can hold data is encrypted for some recipients, each file by itself. */
export function encryptedWrapping(recipients: readonly Recipient[]): Wrapping {
  const keys = new Map<string, Promise<FileKey>>()
  const keyFor = (again: SameAgain) => {
    const name = `${again.directory}/${again.sha256}`
    const key = keys.get(name) ?? keptKey(again, recipients)
    keys.set(name, key)
    return key
  }
  const wrap = async (name: string, what: Sendable, again?: SameAgain): Promise<Parcel> => ({
    name: nameOf(name),
    what: encrypting(what, await (again ? keyFor(again) : newFileKey(recipients))),
  })
  return {
    encrypts: true,
    whose: whoseOf(recipients),
    nameOf,
    wrap,
    async wrapRecord(record, readme, image) {
      const parcels = [await wrap('README', readme), await wrap('backup.json', bytesSendable(record))]
      const files = [image, ...(await Promise.all(parcels.map(sentFile)))]
      return recordOf(record, parcels, files, recipients)
    },
  }
}

function nameOf(name: string): string {
  return `${name}.age`
}

async function sentFile({ name, what }: Parcel): Promise<SentFile> {
  return { name, bytes: what.bytes, sha256: await sha256Of(what) }
}

function recordOf(
  record: Buffer,
  parcels: Parcel[],
  sent: SentFile[],
  recipients: readonly Recipient[],
): WrappedRecord {
  const full = parseRecord(record.toString())
  const { packed } = full
  if (!packed) throw new PgbkError('failed', `backup ${full.id} is not packed`)
  const files = Object.fromEntries(sent.map(({ name, bytes, sha256 }) => [name, { bytes, sha256 }]))
  const clear = clearRecordOf(full, {
    recipients: [...recipients],
    image_bytes: packed.bytes,
    snapshot_bytes: packed.snapshot_bytes,
    files,
  })
  const readme = { name: 'README', what: bytesSendable(Buffer.from(encryptedReadme(clear))) }
  return { clear: Buffer.from(`${JSON.stringify(clear, undefined, 2)}\n`), beside: [readme, ...parcels] }
}
