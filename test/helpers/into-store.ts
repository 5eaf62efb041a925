import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { ObjectStore } from '../../src/place/store/object-store.js'

/** Puts a backup of a root into a store as it lies there, the record last. */
export async function intoStore(store: ObjectStore, root: string, directory: string): Promise<void> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile() && !path.endsWith('/backup.json'))
  for (const path of [...files, join(directory, 'backup.json')])
    await store.put(relative(root, path), readFileSync(path))
}
