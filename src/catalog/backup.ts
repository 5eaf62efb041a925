import type { Hold } from './hold.js'
import { type BackupLayout, backupLayout } from './layout.js'
import type { Proof } from './proof.js'
import { type BackupRecord, checkRecord, type ReadRecord, type RecordSummary } from './record.js'

/** `used`: a server was started inside the snapshot, so that its data is no longer what was backed up. */
export type BackupState = 'whole' | 'used'

/** A backup, wherever it lies: plain data. */
export interface StoredBackup {
  id: string
  state: BackupState
  summary: RecordSummary
  /** The record as it is stored, with fields that this version may not know. `recordOf` checks it. */
  raw: object
  /** What its snapshot takes once it is a plain directory: what a restore needs. */
  logicalBytes: number
  /** What its files have where it lies, without the WAL that came later. */
  storedBytes: number
  /** What it takes of the disk by itself: less than that where it shares blocks with other backups of its root. */
  ownBytes: number
  /** Why it must not be removed, if somebody said so. */
  hold: Hold | undefined
  /** What its newest check found, if one was made. */
  proof: Proof | 'unreadable' | undefined
}

/** A backup that is a directory of this machine. */
export interface LocalBackup extends StoredBackup {
  directory: string
}

/** What was put beside a finished backup later. */
export type Additions = Pick<StoredBackup, 'hold' | 'proof'>

export function storedBackup(
  { summary, raw }: ReadRecord,
  state: BackupState,
  { hold, proof }: Partial<Additions> = {},
): StoredBackup {
  const { id, size_bytes } = summary
  return {
    id,
    state,
    summary,
    raw,
    logicalBytes: size_bytes,
    storedBytes: size_bytes,
    ownBytes: size_bytes,
    hold,
    proof,
  }
}

const checked = new WeakMap<object, BackupRecord>()

/**
 * The whole record, checked when it is asked for: who lists thousands of backups does not pay for all that is in them.
 * @throws {PgbkError} `damaged` when it has faults that its summary has not.
 */
export function recordOf({ raw }: Pick<StoredBackup, 'raw'>): BackupRecord {
  const known = checked.get(raw)
  if (known) return known
  const record = checkRecord(raw)
  checked.set(raw, record)
  return record
}

/** Where everything of it lies. */
export function layoutOf({ directory }: Pick<LocalBackup, 'directory'>): BackupLayout {
  return backupLayout(directory)
}

/** Whether it lies on this machine. */
export function isLocal(backup: StoredBackup): backup is LocalBackup {
  return 'directory' in backup
}
