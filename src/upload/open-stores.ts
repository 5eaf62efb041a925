import type { StoredBackup } from '../catalog/backup.js'
import { parseSource } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { directoryStore } from '../place/store/directory-store.js'
import type { ObjectStore } from '../place/store/object-store.js'
import { storePlace } from '../place/store/store-place.js'
import { plainWrapping, type Wrapping } from './wrapping.js'

/** A store that is open, and how what goes there is wrapped. */
export interface OpenStore {
  /** For `--from` and `--to`. */
  asNamed: string
  objects: ObjectStore
  place: Place<StoredBackup>
  wrapping: Wrapping
}

export async function openStores(to: string | undefined, { context }: Task): Promise<OpenStore[]> {
  if (to === undefined) throw new PgbkError('usage', 'no store is named')
  const place = parseSource(to, context.cwd)
  const objects = directoryStore(place.directory, context, to)
  return [{ asNamed: to, objects, place: storePlace(objects, context), wrapping: plainWrapping }]
}
