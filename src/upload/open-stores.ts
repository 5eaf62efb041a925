import { rootLayout } from '../catalog/layout.js'
import { resolveSource, storeNamed } from '../catalog/source-place.js'
import { type WalFilesSent, walFilesSent } from '../catalog/uploads/wal-files-sent.js'
import type { Settings, Task } from '../config/load.js'
import { factsOf, PgbkError } from '../errors.js'
import { openWritableStore, type WritableStore } from '../place/open-writable-store.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore } from '../place/store/object-store.js'
import { plainWrapping, type Wrapping } from './wrapping/wrapping.js'

/** A store that is open, and how what goes there is wrapped. */
export interface OpenStore extends WritableStore {
  /** Its name in the configuration; undefined for one that has none. */
  name: string | undefined
  /** For a command that goes on from here: `--from`. */
  asNamed: string
  /** False with credentials that may only write: nobody can look what is there. */
  mayRead: boolean
  /** What is noted here of its WAL, where nobody can look. */
  walSent: WalFilesSent | undefined
  wrapping: Wrapping
  /** For whom it encrypts; none where it does not. */
  recipients: readonly string[]
}

/** By a name in the configuration, or where it is. @throws {PgbkError} as `openWritableStore`. */
export async function openStoreFor(to: string, task: Task): Promise<OpenStore> {
  const { stores } = task.settings
  const named = storeNamed(to, stores)
  const recipients = named?.recipients ?? []
  const writable = await openWritableStore(to, task)
  const mayRead = await isReadable(writable.objects)
  if (!mayRead && !named) throw unreadable(to)
  return {
    ...writable,
    objects: mayRead ? writable.objects : await unread(writable.objects),
    mayRead,
    walSent: mayRead ? undefined : walFilesSent(rootLayout(task.settings.root), to, task.context),
    name: named && to,
    asNamed: resolveSource(to, task.context.cwd, stores),
    wrapping: recipients.length > 0 ? await encryptedFor(recipients) : plainWrapping,
    recipients,
  }
}

async function isReadable(objects: ObjectStore): Promise<boolean> {
  try {
    await objects.directoriesIn(keysOf.backups)
    return true
  } catch (error) {
    // Of another failure whoever asks for something is told.
    if (error instanceof PgbkError) return factsOf(error).kind !== 'access-denied'
    throw error
  }
}

async function unread(objects: ObjectStore): Promise<ObjectStore> {
  const { unreadStore } = await import('./unread-store.js')
  return unreadStore(objects)
}

function unreadable(to: string): PgbkError {
  return new PgbkError('failed', `what is in ${to} may not be read with these credentials`, {
    hint: 'With those that may only write, pgbk has to note itself what it has sent: give it a name under stores in .pgbkrc.yaml, and use that.',
  })
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
