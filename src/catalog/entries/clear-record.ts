import { recipientFault } from '../../encryption/recipient.js'
import { v } from '../../schema.js'
import {
  arrayOf,
  count,
  isoTime,
  lsn,
  type PackedFacts,
  plainName,
  segmentSize,
  sha256,
  standbyEntry,
  text,
  timeline,
} from './record-fields.js'
import { ranges } from './record-ranges.js'

/** backup.json of an encrypted backup has a format of its own: an older pgbk names it, and takes it for no other. */
export const encryptedFormat = 3

/** There are three: whoever makes a record of many more makes others ask for each. */
const mostFiles = 16

/** As many as the longest header that is read has stanzas. */
const mostRecipients = 600

/** What of an encrypted backup anybody may know: for whom it is, and its files as they lie. */
const encryptedEntry = v.object({
  recipients: v.pipe(
    arrayOf(
      v.pipe(
        text,
        v.check((value) => recipientFault(value) === undefined, 'is not a recipient'),
      ),
    ),
    v.minLength(1, 'names no recipient'),
    v.maxLength(mostRecipients, 'names too many recipients'),
  ),
  /** Of the image, before it was encrypted. */
  image_bytes: count,
  /** What the snapshot takes as a plain directory. */
  snapshot_bytes: count,
  /** Those that never change, by their names: image, README, record. WAL comes later. */
  files: v.pipe(
    v.record(plainName, v.object({ bytes: count, sha256 })),
    v.check((files) => Object.keys(files).length <= mostFiles, 'names too many files'),
  ),
})

export type EncryptedFacts = v.InferOutput<typeof encryptedEntry>

/** All of it: what listing and retention need, and nothing that can hold data, or a name that somebody gave. */
const entries = {
  format: v.literal(encryptedFormat),
  id: text,
  kind: v.picklist(['scheduled', 'on-demand']),
  started_at: isoTime,
  finished_at: isoTime,
  copied_at: v.optional(isoTime),
  standby: standbyEntry,
  size_bytes: count,
  timeline,
  start_lsn: lsn,
  stop_lsn: lsn,
  wal_segment_size: segmentSize,
  server: v.object({ version: text, system_identifier: text }),
  encrypted: encryptedEntry,
}

export const clearSchema = v.pipe(v.object(entries), ranges())

/** backup.json of an encrypted backup, which is in clear; the whole record is encrypted beside it. */
export type ClearRecord = v.InferOutput<typeof clearSchema>

type Told = Omit<ClearRecord, 'format' | 'encrypted'>

/**
 * What is told in clear of a record.
 * @param full of a packed backup.
 */
export function clearRecordOf(full: Told, encrypted: EncryptedFacts): ClearRecord {
  const { id, kind, started_at, finished_at, copied_at, standby, size_bytes } = full
  const { timeline, start_lsn, stop_lsn, wal_segment_size, server } = full
  const { version, system_identifier } = server
  return {
    format: encryptedFormat,
    id,
    kind,
    started_at,
    finished_at,
    ...(copied_at !== undefined && { copied_at }),
    ...(standby && { standby }),
    size_bytes,
    timeline,
    start_lsn,
    stop_lsn,
    wal_segment_size,
    server: { version, system_identifier },
    encrypted,
  }
}

/**
 * The first field by which a clear record differs from what it should tell of a record; undefined where it tells that. The files that it
 * names are compared with those that are there, and for whom they are with their headers.
 */
export function differenceOf(
  clear: ClearRecord,
  full: Told & { packed?: PackedFacts | undefined },
): string | undefined {
  const told = Object.entries(clearRecordOf(full, clear.encrypted))
  const given: Record<string, unknown> = { ...clear }
  const other = told.find(([key, value]) => JSON.stringify(value) !== JSON.stringify(given[key]))
  const { packed } = full
  if (other || !packed) return other?.[0]
  if (packed.bytes !== clear.encrypted.image_bytes) return 'encrypted.image_bytes'
  return packed.snapshot_bytes === clear.encrypted.snapshot_bytes ? undefined : 'encrypted.snapshot_bytes'
}
