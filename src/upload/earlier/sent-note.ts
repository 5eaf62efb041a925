import { join } from 'node:path'
import type { BackupFiles } from '../../catalog/layout.js'
import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'

/** What a killed upload has sent already, by where it is. */
const schema = v.record(
  v.string(),
  v.object({
    sha256: v.string(),
    bytes: v.number(),
    changed_at: v.pipe(v.string(), v.isoTimestamp()),
    tag: v.nullable(v.string()),
    /** Earlier versions did not note it: what they have sent is sent again. */
    whose: v.optional(v.string()),
  }),
)

/** An object that was sent whole, the SHA-256 of the image that it was made of, and for whom. */
interface Sent {
  key: string
  sha256: string
  whose: string
}

/** Undefined where none was. It may be another's by now. */
export function sentEarlier(
  aside: BackupFiles,
  store: ObjectStore,
  { key, sha256, whose }: Sent,
): StoredObject | undefined {
  const note = readNote(schema, fileIn(aside))?.[store.locationOf(key)]
  if (note?.sha256 !== sha256 || note.whose !== whose) return undefined
  return { key, bytes: note.bytes, changedAt: new Date(note.changed_at), tag: note.tag ?? undefined }
}

export async function noteSent(
  aside: BackupFiles,
  store: ObjectStore,
  { key, sha256, whose }: Sent,
  { bytes, changedAt, tag }: StoredObject,
): Promise<void> {
  const one = { sha256, bytes, changed_at: changedAt.toISOString(), tag: tag ?? null, whose }
  const all = { ...readNote(schema, fileIn(aside)), [store.locationOf(key)]: one }
  await replaceDurably(fileIn(aside), `${JSON.stringify(all)}\n`)
}

function fileIn({ directory }: BackupFiles): string {
  return join(directory, '.pgbk-sent.json')
}
