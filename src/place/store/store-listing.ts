import { type BytePath, bytePath } from '../../system/paths/byte-path.js'
import { checkCount, checkListing, type Listing, type RawListing } from '../contract/listing.js'
import { keysOf } from './keys.js'
import type { ObjectStore, StoredObject } from './object-store.js'

/** What a backup has in a store, and the objects by their names in it. */
interface StoreListing {
  listing: Listing
  objects: Map<BytePath, StoredObject>
}

/** @throws {PgbkError} as `checkListing`; `damaged` for more than so many, whatever their names. */
export async function listStored(store: ObjectStore, id: string, most?: number): Promise<StoreListing> {
  const { top } = keysOf.backup(id)
  const objects = new Map<BytePath, StoredObject>()
  const directories = new Set<string>()
  let count = 0
  for await (const object of store.list(top)) {
    checkCount(++count, store.name, most)
    const name = bytePath(object.key.slice(top.length))
    // Some programs put an empty object in the place of a directory.
    if (!name.endsWith('/')) objects.set(name, object)
    for (const above of parentsOf(name)) directories.add(above)
  }
  const raw: RawListing = {
    directories: [...directories] as BytePath[],
    files: [...objects.keys()],
    links: [],
  }
  return { listing: checkListing(raw, store.name), objects }
}

function parentsOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}
