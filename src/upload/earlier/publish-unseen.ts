import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupFiles } from '../../catalog/layout.js'
import { PgbkError } from '../../errors.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore } from '../../place/store/object-store.js'
import { v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import { mostBytes } from '../../system/files/read-small.js'
import type { SentFile } from '../wrapping/wrapping.js'

/** A record that was put, as far as anybody here knows: by where, with the SHA-256 of the image that it tells of. */
const schema = v.record(v.string(), v.object({ image: v.string(), record: v.string() }))

/** Records in base64, of some stores. */
const mostNoteBytes = 4 * mostBytes.record

/** What an earlier upload has tried to publish, of the same image. Whether it has come there, nobody was told. */
export function recordOfEarlier(
  aside: BackupFiles,
  store: ObjectStore,
  id: string,
  image: SentFile,
): Buffer | undefined {
  const note = notesIn(aside)?.[store.locationOf(keysOf.backup(id).record)]
  return note?.image === image.sha256 ? Buffer.from(note.record, 'base64') : undefined
}

/**
 * Puts the record of a backup where nobody can look what is there. One that lies there already is this, if an upload before has tried to
 * put it, and does not know how that has ended.
 * @throws {PgbkError} `failed` where it is another's.
 */
export async function publishUnseen(
  record: Buffer,
  image: SentFile,
  { id, store, aside }: { id: string; store: ObjectStore; aside: BackupFiles },
): Promise<void> {
  const key = keysOf.backup(id).record
  const wasTried = recordOfEarlier(aside, store, id, image)?.equals(record) ?? false
  const notes = notesIn(aside)
  const own = { image: image.sha256, record: record.toString('base64') }
  const text = (all: typeof notes) => `${JSON.stringify(all)}\n`
  await replaceDurably(fileIn(aside), text({ ...notes, [store.locationOf(key)]: own }))
  if ((await store.put(key, record, true)) || wasTried) return
  // It was there before, and the next upload must not take it for its own.
  if (notes) await replaceDurably(fileIn(aside), text(notes))
  else await rm(fileIn(aside))
  throw new PgbkError('failed', `${store.locationOf(key)} is there already, and may not be read`, {
    hint: 'Whether it tells of what was sent now, nobody can say: verify the backup, or remove it there, with credentials that may read.',
  })
}

function notesIn(aside: BackupFiles) {
  return readNote(schema, fileIn(aside), mostNoteBytes)
}

function fileIn({ directory }: BackupFiles): string {
  return join(directory, '.pgbk-record.json')
}
