import type { StoredBackup } from '../catalog/backup.js'
import { resolveSource, storeNamed } from '../catalog/source-place.js'
import type { Settings, Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { openStore } from '../place/open-store.js'
import type { ObjectStore } from '../place/store/object-store.js'
import { storePlace } from '../place/store/store-place.js'
import { plainWrapping, type Wrapping } from './wrapping.js'

/** A store that is open, and how what goes there is wrapped. */
export interface OpenStore {
  /** Its name in the configuration; undefined for one that has none. */
  name: string | undefined
  /** For a command that goes on from here: `--from`. */
  asNamed: string
  objects: ObjectStore
  place: Place<StoredBackup>
  wrapping: Wrapping
}

/** By a name in the configuration, or where it is; it is closed with the context. @throws {PgbkError} as `openStore`. */
export async function openStoreToWrite(to: string, { settings, context }: Task): Promise<OpenStore> {
  const { stores } = settings
  const objects = await openStore(to, context, stores)
  const named = storeNamed(to, stores)
  const recipients = named?.recipients ?? []
  return {
    name: named && to,
    asNamed: resolveSource(to, context.cwd, stores),
    objects,
    place: storePlace(objects, context),
    wrapping: recipients.length > 0 ? await encryptedFor(recipients) : plainWrapping,
  }
}

async function encryptedFor(recipients: readonly string[]): Promise<Wrapping> {
  const { encryptedWrapping } = await import('./encrypted-wrapping.js')
  return encryptedWrapping(recipients)
}

/**
 * Where backups go when no store is named: to those that take them, or to the only one that there is.
 * @throws {PgbkError} `usage` where nobody can tell.
 */
export function usualStores({ stores, configFile }: Pick<Settings, 'stores' | 'configFile'>): string[] {
  const names = Object.keys(stores)
  const taking = names.filter((name) => stores[name]?.upload !== 'never')
  if (taking.length > 0) return taking
  if (names.length === 1) return names
  throw new PgbkError(
    'usage',
    names.length === 0 ? 'no store is named' : 'no store is named, and the configuration says "upload: never" of all',
    {
      hint: `Name one with --to: a store of the configuration, s3://BUCKET[/PREFIX], or a directory that is there. Or add one under stores in ${configFile ?? '.pgbkrc.yaml'}.`,
    },
  )
}
