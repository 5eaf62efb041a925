import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clearRecordOf } from '../../src/catalog/entries/clear-record.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import { aRecord } from '../catalog/samples.js'

const image = Buffer.from('an image')
const sha256 = createHash('sha256').update(image).digest('hex')

/** Lays a backup into a directory store, as a reader sees it who does not open its image. @returns its directory. */
export function aStoredBackup(
  store: string,
  id: string,
  { recipients = [], changes = {} }: { recipients?: string[]; changes?: Partial<BackupRecord> } = {},
): string {
  const directory = join(store, 'data/backup', id)
  mkdirSync(join(directory, 'wal'), { recursive: true })
  const packed = { bytes: image.length, sha256, uid: 1, gid: 1, snapshot_bytes: 40_000_000 }
  const full = aRecord({ id, format: 2, packed, ...changes })
  const name = recipients.length > 0 ? 'snapshot.squashfs.age' : 'snapshot.squashfs'
  writeFileSync(join(directory, name), image)
  const facts = { recipients, image_bytes: 1, snapshot_bytes: 1 }
  const files = { [name]: { bytes: image.length, sha256 } }
  const record = recipients.length > 0 ? clearRecordOf(full, { ...facts, files }) : full
  writeFileSync(join(directory, 'backup.json'), JSON.stringify(record))
  return directory
}
