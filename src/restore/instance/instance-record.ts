import { isoTime, text } from '../../catalog/record-fields.js'
import { PgbkError } from '../../errors.js'
import { checkJson, v } from '../../schema.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'

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
  const { value, faults } = checkJson(schema, readSmallText(path, mostBytes.note))
  if (faults) throw new PgbkError('damaged', `${path} is unreadable: ${faults.slice(0, 3).join('; ')}`)
  return value
}
