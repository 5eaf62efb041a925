import type { LocalBackup } from '../../catalog/backup.js'
import type { RootLayout } from '../../catalog/layout.js'
import type { RecordSummary } from '../../catalog/record.js'
import { readUploadState, stateOfStore } from '../../catalog/uploads/upload-state.js'
import type { WalFilesSent } from '../../catalog/uploads/wal-files-sent.js'
import { keysOf } from '../../place/store/keys.js'
import type { StoredObject } from '../../place/store/object-store.js'

/** A store where nobody may look, and what is noted here of its WAL. */
interface UnseenStore {
  name: string | undefined
  walSent: WalFilesSent | undefined
}

/** Ids of backups of a root that have come into a store, as it is noted here. */
export function sentUnseen({ name }: UnseenStore, root: RootLayout): string[] {
  return stateOfStore(readUploadState(root), name ?? '').sent
}

/** A backup of a root as a store has it, as it is noted here: its record, and its WAL. Undefined where it has not come. */
export function thereUnseen(
  { id, summary }: LocalBackup,
  { name, walSent }: UnseenStore,
  root: RootLayout,
): { summary: RecordSummary; files: Map<string, StoredObject> } | undefined {
  const { sent, encrypted_for } = stateOfStore(readUploadState(root), name ?? '')
  if (!sent.includes(id)) return undefined
  const { top } = keysOf.backup(id)
  const files = new Map<string, StoredObject>()
  for (const [file, bytes] of walSent?.of(id) ?? [])
    files.set(file, { key: top + file, bytes, changedAt: new Date(0) })
  const recipients = encrypted_for[id]
  const { encrypted: _here, ...rest } = summary
  if (!recipients) return { summary: rest, files }
  const nothing = { image_bytes: 0, snapshot_bytes: 0, files: {} }
  return { summary: { ...rest, encrypted: { ...nothing, recipients } }, files }
}
