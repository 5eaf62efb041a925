import { fingerprintOf } from '../encryption/recipient.js'
import { listOf } from '../text/list-of.js'
import { encryptedRecord } from './entries/encrypted-record.js'
import type { Hold } from './hold.js'
import { type BackupFiles, backupFiles, backupLayout, type SnapshotLayout, snapshotLayout } from './layout.js'
import type { Proof } from './proof.js'
import {
  type BackupRecord,
  checkRecord,
  clearRecordIn,
  type ReadRecord,
  type RecordSummary,
  recordFormat,
} from './record.js'

/** `used`: a server was started inside the snapshot, so that its data is no longer what was backed up. */
export type BackupState = 'whole' | 'used'

/** How a snapshot lies: as a directory, or as one compressed image, which may be encrypted with all that is beside it. */
export type BackupForm = 'plain' | 'packed' | 'encrypted'

/** A backup, wherever it lies: plain data. */
export interface StoredBackup {
  id: string
  form: BackupForm
  state: BackupState
  summary: RecordSummary
  /** The record as it is stored, with fields that this version may not know. `recordOf` checks it. */
  raw: object
  /** `raw` is only what a list shows of it: `withWholeRecord` reads the rest. */
  isPart?: true
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
  /** Where that is here for a while only. */
  borrowed?: Borrowed
}

/** A backup of a place elsewhere, as one of a root of its own on this machine: as much of it as somebody needs, for as long. */
export interface Borrowed {
  /** The place, as a user names it. */
  place: string
  /** That root. It goes with whoever needs it last. */
  root: string
  /** What says how much was fetched: a FetchNote. */
  note: string
  /** Gives its image, where that is not in its directory. */
  openImage?(): Promise<SnapshotImage>
}

/** A backup whose snapshot's files are in a directory, for as long as it is open: `materialise` gives it. */
export interface ReadableBackup extends LocalBackup {
  /** That directory: not always one in the backup's own, and none to tell anybody of. */
  snapshot: string
  /** Where it is packed: what that directory is mounted from. */
  image?: SnapshotImage
  /** Whether that directory can no longer be read, though nothing is wrong with the backup. */
  isLost?(): boolean
}

/** The image of a packed snapshot. */
export interface SnapshotImage {
  /** Its path. */
  file: string
  /** To whom the files in it belong; whoever mounts it is shown them as its own. */
  uid: number
  gid: number
}

/** What was put beside a finished backup later. */
export type Additions = Pick<StoredBackup, 'hold' | 'proof'>

export function storedBackup(
  { summary, raw, isPart }: ReadRecord,
  state: BackupState,
  { hold, proof }: Partial<Additions> = {},
): StoredBackup {
  const { id, size_bytes } = summary
  const image = imageIn(summary)
  const storedBytes = image ? Math.max(0, size_bytes - image.snapshot_bytes) + image.bytes : size_bytes
  const sizes = { logicalBytes: size_bytes, storedBytes, ownBytes: storedBytes }
  return {
    id,
    form: image?.form ?? 'plain',
    state,
    summary,
    raw,
    ...(isPart && { isPart }),
    ...sizes,
    hold,
    proof,
  }
}

function imageIn({ packed, encrypted }: RecordSummary) {
  if (packed) return { form: 'packed', ...packed } as const
  if (!encrypted) return undefined
  const bytes = Object.values(encrypted.files).reduce((sum, file) => sum + file.bytes, 0)
  return { form: 'encrypted', bytes, snapshot_bytes: encrypted.snapshot_bytes } as const
}

const checked = new WeakMap<object, BackupRecord>()

/**
 * The whole record, checked when it is asked for: who lists thousands of backups does not pay for all that is in them.
 * @throws {PgbkError} `damaged` when it has faults that its summary has not; `config` for one of which only the summary is in clear.
 */
export function recordOf({ raw }: Pick<StoredBackup, 'raw'>): BackupRecord {
  const known = checked.get(raw)
  if (known) return known
  const clear = clearRecordIn(raw)
  if (clear) throw encryptedRecord(clear)
  const record = checkRecord(raw)
  checked.set(raw, record)
  return record
}

/** The record of a packed backup once it is unpacked. */
export function unpackedRecord({ raw }: Pick<StoredBackup, 'raw'>): object {
  const { packed: _image, ...rest } = raw as Record<string, unknown>
  return { ...rest, format: recordFormat.plain }
}

/** What stays of a plain backup's record when it is packed: blocks of an image are shared with nobody, and nothing more is saved. */
export function recordToPack({ raw }: Pick<StoredBackup, 'raw'>): object {
  const { shared: _with, pack_saves: _saves, ...rest } = raw as Record<string, unknown>
  return rest
}

/** Where all of it lies but what is in its snapshot. */
export function layoutOf({ directory }: Pick<LocalBackup, 'directory'>): BackupFiles {
  return backupFiles(directory)
}

/** Where everything of its snapshot lies. */
export function snapshotOf({ snapshot }: Pick<ReadableBackup, 'snapshot'>): SnapshotLayout {
  return snapshotLayout(snapshot)
}

/** Where the snapshot of a plain backup lies: for who names it, or asks who works there. Others `materialise` it. */
export function plainSnapshotOf({ directory }: Pick<LocalBackup, 'directory'>): SnapshotLayout {
  return backupLayout(directory)
}

/** For whom it is encrypted where it lies, as a person is told; undefined where it is not. */
export function recipientsOf({ summary }: Pick<StoredBackup, 'summary'>): string | undefined {
  return summary.encrypted && listOf(summary.encrypted.recipients.map(fingerprintOf))
}

/** Whether it lies on this machine. */
export function isLocal(backup: StoredBackup): backup is LocalBackup {
  return 'directory' in backup
}
