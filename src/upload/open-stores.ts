import type { StoredBackup } from '../catalog/backup.js'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { openObjectStore } from '../place/open-object-store.js'
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

/** The store that is named, or all of the configuration. @throws {PgbkError} `usage`, `config`. */
export async function openStores(
  to: string | undefined,
  { settings: { stores }, context }: Task,
): Promise<OpenStore[]> {
  const names = to === undefined ? Object.keys(stores) : [to]
  if (names.length === 0) throw noStore()
  const opened: OpenStore[] = []
  for (const asNamed of names) {
    const objects = await openObjectStore(asNamed, context, stores)
    opened.push({ asNamed, objects, place: storePlace(objects, context), wrapping: plainWrapping })
  }
  return opened
}

function noStore(): PgbkError {
  return new PgbkError('usage', 'no store is named', {
    hint: 'Name one with --to s3://BUCKET[/PREFIX] or --to DIR, or in stores of .pgbkrc.yaml.',
  })
}
