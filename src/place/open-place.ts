import { parseSource, storeNamed } from '../catalog/source-place.js'
import { withIdentitiesIn } from '../config/identities.js'
import type { StoreConfig } from '../config/schema.js'
import type { Context } from '../context.js'
import type { Place } from './contract/place.js'

/** How a place is opened. */
export interface OpenedFor {
  /** Those of the configuration. */
  stores: Readonly<Record<string, StoreConfig>>
  /** It will be asked many times for a little: one connection is kept for all of that. */
  isHeld?: boolean
}

/**
 * Its backups are read as they were before they were encrypted, with the identities of the context and the store. What a source needs is
 * loaded when there is one: most lists are of the root itself.
 * @throws {PgbkError} `usage` for a text that is not a SOURCE, and as `existingPlace`.
 */
export async function openPlace(text: string, context: Context, opened: OpenedFor): Promise<Place> {
  const { decryptingPlace } = await import('./encrypted/decrypting-place.js')
  const identities = withIdentitiesIn(storeNamed(text, opened.stores)?.identity, context)
  return decryptingPlace(await openAsItLies(text, context, opened), { ...context, identities })
}

/** Loads what takes longest of what a place needs, for whoever will open it. @throws {PgbkError} `usage` for a text that is not a SOURCE. */
export async function loadPlace(text: string, { cwd }: Context, stores: OpenedFor['stores']): Promise<void> {
  if (parseSource(text, cwd, stores).kind !== 's3') return
  await Promise.all([
    import('./encrypted/decrypting-place.js'),
    import('../encryption/age-library.js'),
    import('./open-object-store.js'),
    import('./store/store-place.js'),
    import('./store/s3/s3-store.js'),
    import('./store/s3/s3-sdk.js'),
  ])
}

/** The same without keys: an encrypted backup has the files that lie there. @throws {PgbkError} as `openPlace`. */
export async function openAsItLies(
  text: string,
  context: Context,
  { stores, isHeld = false }: OpenedFor,
): Promise<Place> {
  const place = parseSource(text, context.cwd, stores)
  if (place.kind === 'ssh') {
    const { sshPlace } = await import('./ssh/ssh-place.js')
    const shared = isHeld ? (await import('./ssh/shared-connection.js')).sharedConnection(context) : []
    return sshPlace(text, place.host, place.directory, context, shared)
  }
  if (place.kind === 's3' || storeNamed(text, stores)) {
    const { openObjectStore } = await import('./open-object-store.js')
    const { storePlace } = await import('./store/store-place.js')
    return storePlace(await openObjectStore(text, context, stores), context)
  }
  const { existingPlace } = await import('./local-place.js')
  return existingPlace(text, place.directory, context)
}
