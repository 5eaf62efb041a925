import { PgbkError } from '../errors.js'
import { check, parseJson, v } from '../schema.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'
import {
  type ClearRecord,
  clearSchema,
  type EncryptedFacts,
  encryptedFormat,
} from './entries/clear-record.js'
import {
  arrayOf,
  count,
  hex,
  isoTime,
  lsn,
  oid,
  optionalText,
  packedEntry,
  plainName,
  segmentSize,
  standbyEntry,
  text,
  timeline,
} from './entries/record-fields.js'
import { formOf, ranges } from './entries/record-ranges.js'

/** The formats of a whole record: a packed backup has one of its own, so that a pgbk that knows none does not take it for damaged. */
export const recordFormat = { plain: 1, packed: 2 } as const

const highestFormat = Math.max(...Object.values(recordFormat), encryptedFormat)

/**
 * A server with 10,000 databases, each with nine extensions, makes 480,000 values in 14 MB. A list of a million empty objects would take
 * seconds and a gigabyte to be refused.
 */
const mostValues = 500_000

/** What it has its blocks in common with, newest first, and how much of it; as it was when the backup was made. */
const shared = v.optional(v.object({ with: arrayOf(text), bytes: count }))

/** The forms of WAL segments that the snapshot's own restore_command reads; older ones read those of `formsAtFirst`. */
const walForms = v.optional(arrayOf(text))

const entries = {
  format: v.picklist(Object.values(recordFormat)),
  id: text,
  kind: v.picklist(['scheduled', 'on-demand']),
  label: optionalText,
  started_at: isoTime,
  finished_at: isoTime,
  copied_at: v.optional(isoTime),
  standby: standbyEntry,
  server: v.object({
    version: text,
    version_num: count,
    version_string: text,
    libc_version: optionalText,
    icu_version: optionalText,
    system_identifier: text,
    cluster_name: text,
    time_zone: v.optional(text),
    host: text,
    port: count,
    in_recovery: v.boolean(),
  }),
  superuser: text,
  timeline,
  start_lsn: lsn,
  stop_lsn: lsn,
  checkpoint_lsn: lsn,
  wal_segment_size: segmentSize,
  wal_forms: walForms,
  data_checksums: v.boolean(),
  size_bytes: count,
  shared,
  pack_saves: v.optional(count),
  file_count: count,
  tablespaces: arrayOf(
    v.object({ oid, name: text, location: text, location_bytes: v.optional(hex), size_bytes: count }),
  ),
  databases: arrayOf(
    v.object({
      name: text,
      name_bytes: v.optional(hex),
      size_bytes: v.nullable(count),
      encoding: text,
      locale_provider: text,
      locale: text,
      ctype: text,
      access: v.optional(v.picklist(['open', 'superusers', 'nobody', 'invalid'])),
      collation_version: optionalText,
      unlogged_tables: v.nullable(count),
    }),
  ),
  extensions: arrayOf(v.object({ name: text, version: text, database: text })),
  preload_libraries: v.nullable(arrayOf(text)),
  config_files: arrayOf(v.object({ path: text, copy: plainName })),
  skipped: v.optional(arrayOf(text)),
  configuration: v.optional(
    v.object({
      main: text,
      hba: optionalText,
      ident: optionalText,
      auto_conf: optionalText,
      missing: arrayOf(v.object({ path: text, reason: text })),
    }),
  ),
  own_files: v.optional(v.record(plainName, text)),
  verified: v.boolean(),
  tools: v.object({ pgbk: text, pg_basebackup: text, pg_verifybackup: optionalText }),
  duration_ms: count,
  packed: packedEntry,
}

const schema = v.pipe(v.object(entries), ranges(), formOf())

/** backup.json: all that is known about one backup. docs/format.md explains every field. */
export type BackupRecord = v.InferOutput<typeof schema>

/**
 * What the snapshot's data is as of: it has what was committed before, and not all that was until `finished_at`. Older records know
 * only that one.
 */
export function snapshotEnd({
  copied_at,
  finished_at,
}: Pick<BackupRecord, 'copied_at' | 'finished_at'>): string {
  return copied_at ?? finished_at
}

/** What a list shows of a backup: checking all the rest of thousands of records would take most of its time. */
const summaryEntries = {
  format: entries.format,
  id: text,
  kind: entries.kind,
  label: optionalText,
  started_at: isoTime,
  finished_at: isoTime,
  copied_at: entries.copied_at,
  standby: entries.standby,
  size_bytes: count,
  shared,
  pack_saves: entries.pack_saves,
  timeline,
  start_lsn: lsn,
  stop_lsn: lsn,
  wal_segment_size: segmentSize,
  wal_forms: walForms,
  packed: packedEntry,
  // Checked with the rest of the record: a fault in it must not keep the backup from the list.
  server: v.object({ version: text, system_identifier: v.fallback(v.optional(text), undefined) }),
}

const summarySchema = v.pipe(v.object(summaryEntries), ranges(), formOf())

type Summary = Omit<v.InferOutput<typeof summarySchema>, 'format'>

export interface RecordSummary extends Summary {
  format: 1 | 2 | 3
  /** Of an encrypted backup, whose record is known in clear only. */
  encrypted?: EncryptedFacts
}

/** A record before the finished backup is measured. */
export type RecordDraft = Omit<
  BackupRecord,
  'size_bytes' | 'shared' | 'pack_saves' | 'file_count' | 'own_files'
>

/** A record as it was read: its summary is checked, the rest is not yet. */
export interface ReadRecord {
  summary: RecordSummary
  raw: object
  /** Only what a list shows of it was kept: what else it has is read again where it lies. */
  isPart?: true
}

/**
 * @throws {PgbkError} `damaged`, saying why, when it is not a record, is one of a newer format, is not a regular file, or has no end; a system
 * error when it cannot be read.
 */
export function readRecord(path: string): ReadRecord {
  return summarize(readSmallText(path, mostBytes.record))
}

const needed = Object.entries(entries).flatMap(([key, { type }]) => (type === 'optional' ? [] : [key]))

/** @throws {PgbkError} `damaged`, saying why, when it is not a record, or is one of a newer format. */
export function summarize(json: string): ReadRecord {
  const raw = objectIn(json)
  const clear = clearRecordIn(raw)
  // A label may be any text, so it is not in clear.
  if (clear) return { raw, summary: { ...clear, label: null } }
  const missing = needed.filter((key) => !Object.hasOwn(raw, key))
  if (missing.length > 0)
    throw new PgbkError('damaged', `the record is unreadable: it has no ${missing.join(', ')}`)
  return { raw, summary: checkAgainst(summarySchema, raw) }
}

/** What an encrypted backup tells in clear; undefined for any other. @throws {PgbkError} `damaged`. */
export function clearRecordIn(raw: object): ClearRecord | undefined {
  return formatOf(raw) === encryptedFormat ? checkAgainst(clearSchema, raw) : undefined
}

/** Whether the snapshot is in an image, in which no server was ever started, whatever lies beside it. */
export function isInImage({ summary }: ReadRecord): boolean {
  return summary.format !== recordFormat.plain
}

/** The whole record, without the fields that this version does not know. @throws {PgbkError} `damaged`. */
export function checkRecord(raw: object): BackupRecord {
  return checkAgainst(schema, raw)
}

/** @throws {PgbkError} `damaged`. */
export function parseRecord(json: string): BackupRecord {
  return checkRecord(objectIn(json))
}

function objectIn(json: string): object {
  const parsed = parseJson(json, mostValues)
  if (typeof parsed === 'string') throw new PgbkError('damaged', `the record is unreadable: ${parsed}`)
  const input = parsed.json
  const format = formatOf(input)
  if (typeof format === 'number' && format > highestFormat) {
    throw new PgbkError(
      'damaged',
      `the record has format ${format}, but this pgbk reads formats up to ${highestFormat}`,
      {
        hint: 'Update pgbk to work with this backup.',
      },
    )
  }
  return typeof input === 'object' && input !== null ? input : {}
}

function checkAgainst<T>(wanted: v.GenericSchema<unknown, T>, raw: object): T {
  const { value, faults } = check(wanted, raw, { abortEarly: true })
  if (faults) throw new PgbkError('damaged', `the record is unreadable: ${faults[0]}`)
  return value
}

function formatOf(input: unknown): unknown {
  return typeof input === 'object' && input !== null && 'format' in input ? input.format : undefined
}

/** The major version of the server that was backed up: 15 for 150018. */
export function majorOf({ server }: Pick<BackupRecord, 'server'>): number {
  return Math.floor(server.version_num / 10_000)
}
