import type { LocalBackup } from '../catalog/backup.js'
import { type RecordSummary, summarize } from '../catalog/record.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { filesInStore } from '../place/store/files-in-store.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../place/store/object-store.js'
import { readObject } from '../place/store/read-object.js'
import { mostBytes } from '../system/files/read-small.js'
import { shellWord } from '../text/shell-word.js'
import { objectsBelow } from './earlier/objects-below.js'
import type { OpenStore } from './open-stores.js'

/** A backup in a store. */
export interface BackupThere {
  /** What its record there says in clear. */
  summary: RecordSummary
  /** By names below its prefix. */
  files: Map<string, StoredObject>
}

/**
 * A backup as a store has it, where it is there and whole.
 * @param backup with its summary where the root still has it: then it must be that one.
 * @throws {PgbkError} `failed` when another backup has its id there, or it lacks its image; `damaged` when its record cannot be read.
 */
export async function findThere(
  { id, summary }: Pick<LocalBackup, 'id'> & Partial<Pick<LocalBackup, 'summary'>>,
  { objects: store, asNamed }: OpenStore,
  { pgbk }: Context,
): Promise<BackupThere | undefined> {
  const record = await readObject(store, keysOf.backup(id).record, mostBytes.record)
  if (record === undefined) return undefined
  const there = summarize(record.toString()).summary
  const removal = `If that one may go:\n  ${pgbk(`delete ${id} --from ${shellWord(asNamed)}`)}`
  if (summary && !isSame(there, summary))
    throw new PgbkError(
      'failed',
      `${store.locationOf(keysOf.backup(id).top)} is another backup of the same second`,
      {
        hint: removal,
      },
    )
  const files = await objectsBelow(store, keysOf.backup(id).top)
  if (await hasImage(files, there, store)) return { summary: there, files }
  throw new PgbkError(
    'failed',
    `backup ${id} in ${store.name} is damaged: its image is missing, or has another size`,
    {
      hint: `${removal}\nThen upload it again.`,
    },
  )
}

/** @param found as it was listed, which may be late. */
async function hasImage(
  found: ReadonlyMap<string, StoredObject>,
  summary: RecordSummary,
  store: ObjectStore,
): Promise<boolean> {
  const files = filesInStore(summary)
  const { top } = keysOf.backup(summary.id)
  for (const { name, bytes } of files)
    if (found.get(name)?.bytes !== bytes && (await store.stat(top + name))?.bytes !== bytes) return false
  return files.length > 0
}

function isSame(one: RecordSummary, other: RecordSummary): boolean {
  return identityOf(one) === identityOf(other)
}

function identityOf({ id, server, started_at, start_lsn, stop_lsn }: RecordSummary): string {
  return JSON.stringify([id, server.system_identifier, started_at, start_lsn, stop_lsn])
}
