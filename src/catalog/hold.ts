import { rm } from 'node:fs/promises'
import { checkJson, v } from '../schema.js'
import { replaceDurably, syncPath } from '../system/files/durable.js'
import { lookAtNote } from '../system/files/read-note.js'
import type { BackupFiles } from './layout.js'

const schema = v.object({ format: v.literal(1), since: v.string(), reason: v.nullable(v.string()) })

/** hold.json: the backup stays until somebody releases it. */
export type Hold = v.InferOutput<typeof schema>

/** One that cannot be understood still holds: somebody wanted this backup to stay. */
export function readHold(path: string): Hold | undefined {
  const note = lookAtNote(schema, path)
  return note.value ?? (note.why === 'absent' ? undefined : unreadable)
}

/** The same for its text. */
export function holdIn(text: string): Hold {
  return checkJson(schema, text).value ?? unreadable
}

const unreadable: Hold = { format: 1, since: 'unknown', reason: 'hold.json is unreadable' }

/** Holds a backup, or changes the reason. Only under the catalog lock. */
export async function writeHold({ hold }: BackupFiles, content: Hold): Promise<void> {
  await replaceDurably(hold, `${JSON.stringify(content, undefined, 2)}\n`)
}

/** Only under the catalog lock. */
export async function removeHold({ hold, directory }: BackupFiles): Promise<void> {
  await rm(hold)
  await syncPath(directory)
}

/** `it is held: before the upgrade` */
export function describeHold({ reason }: Hold): string {
  return reason === null ? 'held' : `held: ${reason}`
}
