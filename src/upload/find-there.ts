import type { LocalBackup } from '../catalog/backup.js'
import { type RecordSummary, summarize } from '../catalog/record.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { StoredObject } from '../place/store/object-store.js'
import { readObject } from '../place/store/read-object.js'
import { mostBytes } from '../system/files/read-small.js'
import { shellWord } from '../text/shell-word.js'
import { objectsBelow } from './earlier/objects-below.js'
import type { OpenStore } from './open-stores.js'

/**
 * What a store has of a backup, where it is there and whole.
 * @throws {PgbkError} `failed` when another backup has its id there, or it lacks its image.
 */
export async function findThere(
  { id, summary }: LocalBackup,
  { objects: store, asNamed }: OpenStore,
  { pgbk }: Context,
): Promise<Map<string, StoredObject> | undefined> {
  const record = await readObject(store, keysOf.backup(id).record, mostBytes.record)
  if (record === undefined) return undefined
  const there = summarize(record.toString()).summary
  const removal = `If that one may go:\n  ${pgbk(`delete ${id} --from ${shellWord(asNamed)}`)}`
  if (!isSame(there, summary))
    throw new PgbkError(
      'failed',
      `${store.locationOf(keysOf.backup(id).top)} is another backup of the same second`,
      {
        hint: removal,
      },
    )
  const found = await objectsBelow(store, keysOf.backup(id).top)
  if (hasImage(found, there)) return found
  throw new PgbkError(
    'failed',
    `backup ${id} in ${store.name} is damaged: its image is missing, or has another size`,
    {
      hint: `${removal}\nThen upload it again.`,
    },
  )
}

function hasImage(found: ReadonlyMap<string, StoredObject>, { packed, encrypted }: RecordSummary): boolean {
  const files = encrypted ? Object.entries(encrypted.files) : [['snapshot.squashfs', packed] as const]
  return files.every(([name, file]) => file !== undefined && found.get(name)?.bytes === file.bytes)
}

function isSame(one: RecordSummary, other: RecordSummary): boolean {
  return identityOf(one) === identityOf(other)
}

function identityOf({ id, server, started_at, start_lsn, stop_lsn }: RecordSummary): string {
  return JSON.stringify([id, server.system_identifier, started_at, start_lsn, stop_lsn])
}
