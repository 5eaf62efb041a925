import { isoTime, text } from '../../catalog/record-fields.js'
import { v } from '../../schema.js'
import { needNote } from '../../system/files/read-note.js'

/** The format of instance.json that this pgbk writes, and the highest that it reads. */
export const instanceFormat = 1

const schema = v.object({
  format: v.literal(instanceFormat, `must be ${instanceFormat}: update pgbk to work with this instance`),
  name: text,
  backup: text,
  created_at: isoTime,
  server_version: text,
  major: v.pipe(v.number(), v.integer()),
  role: text,
  database: text,
})

/** instance.json: what does not change in the life of an instance. docs/format.md explains every field. */
export type InstanceRecord = v.InferOutput<typeof schema>

/** @throws {PgbkError} `damaged`; a system error when it cannot be read. */
export function readInstanceRecord(path: string): InstanceRecord {
  return needNote(schema, path)
}
