import { resolveSource, storeNamed } from '../catalog/source-place.js'
import type { Settings, Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { openWritableStore, type WritableStore } from '../place/open-writable-store.js'
import { plainWrapping, type Wrapping } from './wrapping/wrapping.js'

/** A store that is open, and how what goes there is wrapped. */
export interface OpenStore extends WritableStore {
  /** Its name in the configuration; undefined for one that has none. */
  name: string | undefined
  /** For a command that goes on from here: `--from`. */
  asNamed: string
  wrapping: Wrapping
}

/** By a name in the configuration, or where it is. @throws {PgbkError} as `openWritableStore`. */
export async function openStoreFor(to: string, task: Task): Promise<OpenStore> {
  const { stores } = task.settings
  const named = storeNamed(to, stores)
  const recipients = named?.recipients ?? []
  return {
    ...(await openWritableStore(to, task)),
    name: named && to,
    asNamed: resolveSource(to, task.context.cwd, stores),
    wrapping: recipients.length > 0 ? await encryptedFor(recipients) : plainWrapping,
  }
}

async function encryptedFor(recipients: readonly string[]): Promise<Wrapping> {
  const { encryptedWrapping } = await import('./wrapping/encrypted-wrapping.js')
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
    names.length === 0
      ? 'no store is named'
      : 'no store is named, and the configuration says "upload: never" of all',
    {
      hint: `Name one with --to: a store of the configuration, s3://BUCKET[/PREFIX], or a directory that is there. Or add one under stores in ${configFile ?? '.pgbkrc.yaml'}.`,
    },
  )
}
