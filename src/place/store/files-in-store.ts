import type { RecordSummary } from '../../catalog/record.js'

/** A file of a backup in a store, which never changes. */
export interface FileInStore {
  /** Below the backup's prefix. */
  name: string
  bytes: number
}

/** Those that the record of a backup tells of: none for one that no store holds. */
export function filesInStore({ packed, encrypted }: RecordSummary): FileInStore[] {
  if (encrypted) return Object.entries(encrypted.files).map(([name, { bytes }]) => ({ name, bytes }))
  return packed ? [{ name: 'snapshot.squashfs', bytes: packed.bytes }] : []
}
