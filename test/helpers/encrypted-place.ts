import { createHash } from 'node:crypto'
import type { StoredBackup } from '../../src/catalog/backup.js'
import { clearRecordOf, type EncryptedFacts } from '../../src/catalog/entries/clear-record.js'
import { type BackupRecord, parseRecord } from '../../src/catalog/record.js'
import { encrypting } from '../../src/encryption/encrypt.js'
import { newFileKey } from '../../src/encryption/file-key.js'
import type { WritablePlace } from '../../src/place/contract/place.js'
import type { BytePath } from '../../src/system/paths/byte-path.js'
import { alice, allOf, aPlainFile } from '../encryption/samples.js'
import { memoryPlace, type StagedInMemory } from './memory-place.js'

export async function encrypt(bytes: Buffer, recipients: string[]): Promise<Buffer> {
  const file = encrypting(aPlainFile(bytes), await newFileKey(recipients))
  return allOf(file.read(0, file.bytes))
}

/** A place in memory whose backups are encrypted when they are published. */
export function encryptedMemoryPlace(
  recipients = [alice.recipient],
): WritablePlace<StoredBackup, StagedInMemory> {
  const inner = memoryPlace()
  return {
    ...inner,
    async publish(staged, record, check) {
      const files = new Map<BytePath, Buffer>()
      const whole = [...staged.files, ['backup.json' as BytePath, Buffer.from(record)] as const]
      for (const [name, bytes] of whole)
        files.set(`${name}.age` as BytePath, await encrypt(bytes, recipients))
      staged.files = files
      files.set('README' as BytePath, Buffer.from('It is encrypted.'))
      const full = parseRecord(record)
      const facts = factsOf(files, recipients, full.packed)
      return inner.publish(staged, JSON.stringify(clearRecordOf(full, facts)), check)
    },
  }
}

function factsOf(
  files: Map<BytePath, Buffer>,
  recipients: string[],
  packed: BackupRecord['packed'],
): EncryptedFacts {
  const described = [...files].map(([name, bytes]) => [
    name,
    { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
  ])
  const { bytes: image_bytes = 0, snapshot_bytes = 0 } = packed ?? {}
  return { recipients, image_bytes, snapshot_bytes, files: Object.fromEntries(described) }
}
