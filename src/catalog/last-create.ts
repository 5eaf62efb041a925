import { existsSync } from 'node:fs'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { readNote } from '../system/files/read-note.js'
import type { LocalBackup } from './backup.js'
import { isoTime } from './entries/record-fields.js'
import type { RootLayout } from './layout.js'

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

/**
 * Runs a create and records in `data/backup`, if that is there, how it ended. One that found another at work leaves the record
 * to that one.
 */
export async function rememberCreate(
  root: RootLayout,
  { scheduled }: Pick<LastCreate, 'scheduled'>,
  context: Context,
  work: () => Promise<LocalBackup>,
): Promise<LocalBackup> {
  const started_at = context.now().toISOString()
  const record = (end: Pick<LastCreate, 'ok' | 'backup' | 'error'>) =>
    tryToWrite(
      root,
      { format: 1, scheduled, started_at, finished_at: context.now().toISOString(), ...end },
      context,
    )
  try {
    const backup = await work()
    await record({ ok: true, backup: backup.id, error: null })
    return backup
  } catch (error) {
    const code = error instanceof PgbkError ? error.code : 'failed'
    if (code !== 'locked')
      await record({ ok: false, backup: null, error: { code, message: messageOf(error) } })
    throw error
  }
}

/** On a full disk the backup, or why there is none, matters more. */
async function tryToWrite(root: RootLayout, last: LastCreate, { progress }: Context): Promise<void> {
  if (!existsSync(root.backups)) return
  try {
    await replaceDurably(root.lastCreate, `${JSON.stringify(last, undefined, 2)}\n`)
  } catch (error) {
    progress.detail(`cannot write ${root.lastCreate}: ${messageOf(error)}`)
  }
}
