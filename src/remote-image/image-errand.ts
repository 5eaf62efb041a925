import { PgbkError } from '../errors.js'
import { checkJson, v } from '../schema.js'

/** What a process is told that serves an image: pgbk once more. */
export interface ImageErrand {
  /** Where it is, as `openPlace` takes it. */
  place: string
  /** Of its backup. */
  id: string
  bytes: number
  sha256: string
  /** Whether it takes a key, which comes in the environment. */
  isEncrypted?: boolean | undefined
  /** Where to write what was fetched: a FetchNote. */
  note: string
  /** The blocks of all images on this machine. */
  cache: { directory: string; limit: number }
}

const errandSchema: v.GenericSchema<unknown, ImageErrand> = v.object({
  place: v.string(),
  id: v.string(),
  bytes: v.number(),
  sha256: v.string(),
  isEncrypted: v.optional(v.boolean()),
  note: v.string(),
  cache: v.object({ directory: v.string(), limit: v.number() }),
})

/** @throws {PgbkError} `usage` for what no pgbk has said. */
export function imageErrandIn(said: string): ImageErrand {
  const { value, faults } = checkJson(errandSchema, said)
  if (faults) throw new PgbkError('usage', `--served is for pgbk itself: ${faults.slice(0, 3).join('; ')}`)
  return value
}
