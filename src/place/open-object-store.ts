import { parseSource, storeNamed } from '../catalog/source-place.js'
import type { StoreConfig } from '../config/schema.js'
import type { Context } from '../context.js'
import type { ObjectStore } from './store/object-store.js'

/**
 * A store, to write to and to read from: by its name in the configuration, or where it is. It is closed with the context.
 * @throws {PgbkError} `usage` for a text that is not a SOURCE; `config`.
 */
export async function openObjectStore(
  text: string,
  context: Context,
  stores: Readonly<Record<string, StoreConfig>>,
): Promise<ObjectStore> {
  const store = await opened(text, context, stores)
  context.atEnd(() => store.close())
  return store
}

async function opened(
  text: string,
  context: Context,
  stores: Readonly<Record<string, StoreConfig>>,
): Promise<ObjectStore> {
  const place = parseSource(text, context.cwd, stores)
  if (place.kind === 's3') {
    const { s3Store } = await import('./store/s3/s3-store.js')
    return s3Store(place, storeNamed(text, stores) ?? {}, context, text)
  }
  if (place.kind === 'ssh') {
    const { sshStore } = await import('./store/ssh/ssh-store.js')
    const { sharedConnection } = await import('./ssh/shared-connection.js')
    return sshStore(place, context, text, sharedConnection(context))
  }
  const { directoryStore } = await import('./store/directory-store.js')
  return directoryStore(place.directory, context, text)
}
