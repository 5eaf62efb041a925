import { readFileSync } from 'node:fs'
import { messageOf, PgbkError } from '../errors.js'
import { check, v } from '../schema.js'

/** The format of instance.json that this pgbk writes, and the highest that it reads. */
export const instanceFormat = 1

const text = v.string()

const schema = v.object({
  format: v.literal(instanceFormat, `must be ${instanceFormat}: update pgbk to work with this instance`),
  name: text,
  backup: text,
  created_at: v.pipe(text, v.isoTimestamp()),
  server_version: text,
  major: v.number(),
  role: text,
  database: text,
})

/** instance.json: what does not change in the life of an instance. docs/format.md explains every field. */
export type InstanceRecord = v.InferOutput<typeof schema>

/** @throws {PgbkError} `damaged`; a system error when it cannot be read. */
export function readInstanceRecord(path: string): InstanceRecord {
  let raw: unknown
  try {
    raw = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new PgbkError('damaged', `${path} is unreadable: ${messageOf(error)}`, { cause: error })
  }
  const { value, faults } = check(schema, raw)
  if (faults) throw new PgbkError('damaged', `${path} is unreadable: ${faults.slice(0, 3).join('; ')}`)
  return value
}
