import { existsSync, realpathSync } from 'node:fs'
import { relative } from 'node:path'
import type { StoredBackup } from '../catalog/backup.js'
import { rootLayout } from '../catalog/layout.js'
import { parseSource } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import type { Place } from './contract/place.js'
import { openObjectStore } from './open-object-store.js'
import type { ObjectStore } from './store/object-store.js'
import { storePlace } from './store/store-place.js'

/** A store to which backups are brought, or from which they are removed. */
export interface WritableStore {
  objects: ObjectStore
  place: Place<StoredBackup>
}

/**
 * Opens one, for as long as the context lasts. A root is none: there commands of its own heed its locks, and who uses what.
 * @param text a name in the configuration, or where it is.
 * @throws {PgbkError} `usage` for a root; as `openObjectStore`.
 */
export async function openWritableStore(text: string, { settings, context }: Task): Promise<WritableStore> {
  const objects = await openObjectStore(text, context, settings.stores)
  if (objects.directory !== undefined) checkNoRoot(objects.directory, settings.root)
  else if (parseSource(text, context.cwd, settings.stores).kind === 'ssh') await checkNoRootThere(objects)
  return { objects, place: storePlace(objects, context) }
}

function checkNoRoot(directory: string, root: string): void {
  if (!existsSync(directory)) return
  const isOwn = existsSync(root) && realpathSync(root) === realpathSync(directory)
  if (isOwn) throw noStore(directory, 'this root itself')
  if (existsSync(rootLayout(directory).createLock)) throw noStore(directory, 'a root')
}

/** A copy of a root in a bucket has its locks, too, and nobody holds them. */
async function checkNoRootThere(objects: ObjectStore): Promise<void> {
  const { createLock, root } = rootLayout('/')
  if (await objects.stat(relative(root, createLock))) throw noStore(objects.name, 'a root')
}

function noStore(name: string, what: string): PgbkError {
  return new PgbkError('usage', `${name} is ${what}, not a store`, {
    hint: 'A store is a directory of its own, which holds nothing but what was uploaded. In a root, use -C DIR in the place of --from.',
  })
}
