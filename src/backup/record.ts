import { readFileSync } from 'node:fs'
import { messageOf, PgbkError } from '../errors.js'
import { check, v } from '../schema.js'

/** The format of backup.json that this pgbk writes, and the highest that it reads. */
export const recordFormat = 1

const text = v.string()
const optionalText = v.nullable(text)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const isoTime = v.pipe(text, v.isoTimestamp())
const lsn = v.pipe(text, v.regex(/^[0-9A-F]+\/[0-9A-F]+$/, 'is not an LSN'))

const schema = v.object({
  format: v.literal(recordFormat),
  id: text,
  kind: v.picklist(['scheduled', 'on-demand']),
  label: optionalText,
  started_at: isoTime,
  finished_at: isoTime,
  copied_at: v.optional(isoTime),
  server: v.object({
    version: text,
    version_num: count,
    version_string: text,
    libc_version: optionalText,
    icu_version: optionalText,
    system_identifier: text,
    cluster_name: text,
    host: text,
    port: count,
    in_recovery: v.boolean(),
  }),
  superuser: text,
  timeline: count,
  start_lsn: lsn,
  stop_lsn: lsn,
  checkpoint_lsn: lsn,
  wal_segment_size: count,
  data_checksums: v.boolean(),
  size_bytes: count,
  file_count: count,
  tablespaces: v.array(v.object({ oid: count, name: text, location: text, size_bytes: count })),
  databases: v.array(
    v.object({
      name: text,
      size_bytes: v.nullable(count),
      encoding: text,
      locale_provider: text,
      locale: text,
      ctype: text,
      collation_version: optionalText,
      unlogged_tables: v.nullable(count),
    }),
  ),
  extensions: v.array(v.object({ name: text, version: text, database: text })),
  preload_libraries: v.nullable(v.array(text)),
  config_files: v.array(v.object({ path: text, copy: text })),
  own_files: v.optional(v.record(text, text)),
  verified: v.boolean(),
  tools: v.object({ pgbk: text, pg_basebackup: text, pg_verifybackup: optionalText }),
  duration_ms: count,
})

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
const summarySchema = v.object({
  format: schema.entries.format,
  id: text,
  kind: schema.entries.kind,
  label: optionalText,
  started_at: isoTime,
  finished_at: isoTime,
  size_bytes: count,
  timeline: count,
  start_lsn: lsn,
  stop_lsn: lsn,
  wal_segment_size: count,
  server: v.object({ version: text }),
})

export type RecordSummary = v.InferOutput<typeof summarySchema>

/** A record before the finished backup is measured. */
export type RecordDraft = Omit<BackupRecord, 'size_bytes' | 'file_count' | 'own_files'>

/** A record as it was read: its summary is checked, the rest is not yet. */
export interface ReadRecord {
  summary: RecordSummary
  raw: object
}

/** @throws {PgbkError} `damaged`, saying why, when it is no record or one of a newer format; a system error when it cannot be read. */
export function readRecord(path: string): ReadRecord {
  return summarize(readFileSync(path, 'utf8'))
}

/** @throws {PgbkError} `damaged`, saying why, when it is no record or one of a newer format. */
export function summarize(json: string): ReadRecord {
  const raw = parseJson(json)
  const missing = Object.entries(schema.entries)
    .filter(([key, { type }]) => type !== 'optional' && !(key in raw))
    .map(([key]) => key)
  if (missing.length > 0)
    throw new PgbkError('damaged', `the record is unreadable: it has no ${missing.join(', ')}`)
  return { raw, summary: checkAgainst(summarySchema, raw) }
}

/** The whole record, without the fields that this version does not know. @throws {PgbkError} `damaged`. */
export function checkRecord(raw: object): BackupRecord {
  return checkAgainst(schema, raw)
}

/** @throws {PgbkError} `damaged`. */
export function parseRecord(json: string): BackupRecord {
  return checkRecord(parseJson(json))
}

function parseJson(json: string): object {
  let input: unknown
  try {
    input = JSON.parse(json)
  } catch (cause) {
    throw new PgbkError('damaged', `the record is unreadable: ${messageOf(cause)}`, { cause })
  }
  const format = formatOf(input)
  if (typeof format === 'number' && format > recordFormat) {
    throw new PgbkError('damaged', `the record has format ${format}, this pgbk reads up to ${recordFormat}`, {
      hint: 'Update pgbk to work with this backup.',
    })
  }
  return typeof input === 'object' && input !== null ? input : {}
}

function checkAgainst<T>(wanted: v.GenericSchema<unknown, T>, raw: object): T {
  const { value, faults } = check(wanted, raw)
  if (faults) throw new PgbkError('damaged', `the record is unreadable: ${faults.slice(0, 3).join('; ')}`)
  return value
}

function formatOf(input: unknown): unknown {
  return typeof input === 'object' && input !== null && 'format' in input ? input.format : undefined
}

/** The major version of the server that was backed up: 15 for 150018. */
export function majorOf({ server }: Pick<BackupRecord, 'server'>): number {
  return Math.floor(server.version_num / 10_000)
}

/** The name of the database that is most likely meant when none is named: the largest that is no template. */
export function largestDatabase({ databases }: Pick<BackupRecord, 'databases'>): string {
  const candidates = databases.filter(({ name }) => !/^template[01]$/.test(name))
  const [largest] = candidates.sort((a, b) => (b.size_bytes ?? 0) - (a.size_bytes ?? 0))
  return largest?.name ?? 'template1'
}
