import type { LocalBackup } from '../../catalog/backup.js'
import { factsOf, PgbkError } from '../../errors.js'
import { keysOf } from '../../place/store/keys.js'
import type { KeptObject, ObjectStore } from '../../place/store/object-store.js'
import type { Wrapping } from '../wrapping/wrapping.js'

/** A store, and how what goes there is wrapped. */
export interface WrappedStore {
  objects: ObjectStore
  wrapping: Wrapping
}

/**
 * Removes what an upload that did not end has sent otherwise than it is wrapped now: in clear, before there were recipients, or encrypted,
 * when there are none any more. What belongs to a record, nobody touches.
 * @throws {PgbkError} `failed` where something that is in clear would stay beside what is encrypted.
 */
export async function removeOtherwiseWrapped({ id }: LocalBackup, store: WrappedStore): Promise<void> {
  const { objects, wrapping } = store
  const { top, record } = keysOf.backup(id)
  if (await objects.stat(record)) return
  const keys = new Set<string>()
  for (const found of [objects.list(top), objects.unfinished(top)])
    for await (const { key } of found) if (isOther(key.slice(top.length), wrapping)) keys.add(key)
  if (keys.size === 0) return
  const kept = await removed(objects, [...keys])
  if (kept.length > 0 && wrapping.encrypts) throw inClear(id, kept, objects)
}

/** Of what everybody may read, each upload puts its own. */
const always = ['README', 'backup.json', 'proof.json', 'hold.json']

function isOther(name: string, { encrypts }: Wrapping): boolean {
  return name.endsWith('.age') !== encrypts && !always.includes(name)
}

/** @returns what has to stay. */
async function removed(store: ObjectStore, keys: string[]): Promise<KeptObject[]> {
  try {
    return await store.remove(keys)
  } catch (error) {
    if (factsOf(error).kind !== 'access-denied') throw error
    return keys.map((key) => ({ key, until: undefined }))
  }
}

function inClear(id: string, kept: KeptObject[], store: ObjectStore): PgbkError {
  const lines = kept.map(({ key, until }) => {
    const why = until ? `, which Object Lock keeps until ${until.toISOString()}` : ''
    return `  ${store.locationOf(key)}${why}`
  })
  return new PgbkError(
    'failed',
    `${id} was not uploaded to ${store.name}: an earlier upload, without recipients, has left files there in clear, and they may not be removed`,
    {
      hint: `Remove them with credentials that may, then upload again:\n${lines.join('\n')}`,
    },
  )
}
