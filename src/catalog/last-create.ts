import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import type { RootLayout } from './layout.js'
import { isoTime } from './record-fields.js'

const text = v.nullable(v.string())

const schema = v.object({
  format: v.literal(1),
  ok: v.boolean(),
  scheduled: v.boolean(),
  started_at: isoTime,
  finished_at: isoTime,
  backup: text,
  error: v.nullable(v.object({ code: v.string(), message: v.string() })),
})

/** .last-create.json: how the last create in a root ended; docs/format.md explains every field. */
export type LastCreate = v.InferOutput<typeof schema>

/** Undefined where none has been recorded, or what is there is not understood. */
export function readLastCreate({ lastCreate }: RootLayout): LastCreate | undefined {
  return readNote(schema, lastCreate)
}

export async function writeLastCreate({ lastCreate }: RootLayout, last: LastCreate): Promise<void> {
  await replaceDurably(lastCreate, `${JSON.stringify(last, undefined, 2)}\n`)
}
