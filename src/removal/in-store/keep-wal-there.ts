import type { StoredBackup } from '../../catalog/backup.js'
import { claimedCluster } from '../../catalog/check-cluster.js'
import { isEncryptedName } from '../../place/encrypted/encrypted-names.js'
import { keysOf } from '../../place/store/keys.js'
import type { ObjectStore, StoredObject } from '../../place/store/object-store.js'
import { inParallel } from '../../system/files/in-parallel.js'
import type { Sendable } from '../../system/files/sendable.js'
import { isFinished, segmentFileOf } from '../../wal-segments/segment-forms.js'
import { walThere } from './wal-there.js'

/** WAL of a backup that goes, which the nearest older one that stays gets: from there all that are older still reach it. */
export interface WalMoveThere {
  from: StoredBackup
  to: StoredBackup
  files: StoredObject[]
}

/** Where that one is encrypted and the other is not, what it would get is no WAL to who reads it: so the backup has to stay. */
export type NeededThere = { move: WalMoveThere } | { keptFor: StoredBackup }

/**
 * What others need of the WAL of a backup that goes, to be taken as far as now.
 * @param promised those that stay and have to be.
 */
export async function neededThere(
  store: ObjectStore,
  from: StoredBackup,
  promised: StoredBackup[],
): Promise<NeededThere | undefined> {
  const cluster = claimedCluster(from)
  const [to] = promised
    .filter((one) => one.id < from.id && one.state === 'whole' && claimedCluster(one) === cluster)
    .sort((one, other) => (one.id < other.id ? 1 : -1))
  if (!to) return undefined
  const has = new Set<string>()
  for await (const { key } of store.list(walOf(to))) if (isWrappedAs(to, key)) has.add(walNameOf(key, to))
  const lacked: StoredObject[] = []
  for (const object of await walThere(store, from))
    if (!has.has(walNameOf(object.key, from))) lacked.push(object)
  const files = lacked.filter(({ key }) => isWrappedAs(to, key))
  const moving = new Set(files.map(({ key }) => walNameOf(key, from)))
  const isKept = lacked.some(({ key }) => isWrappedAs(from, key) && !moving.has(walNameOf(key, from)))
  if (isKept) return { keptFor: to }
  return files.length > 0 ? { move: { from, to, files } } : undefined
}

/** Why a backup stays whose WAL another needs, and cannot get. */
export function keptForText({ id, form }: StoredBackup): string {
  return `its WAL is needed by ${id}, which is ${form === 'encrypted' ? '' : 'not '}encrypted`
}

/** Whether a reader of a backup looks for a file like this one. */
function isWrappedAs({ form }: StoredBackup, key: string): boolean {
  return isEncryptedName(key) === (form === 'encrypted')
}

const atOnce = 4

/** Copies it; as it lies, encrypted or not. */
export async function moveWalThere(store: ObjectStore, { from, to, files }: WalMoveThere): Promise<void> {
  await inParallel(files, atOnce, async (file) => {
    const key = walOf(to) + file.key.slice(walOf(from).length)
    await store.send(key, objectSendable(store, file), () => {})
  })
}

function walOf({ id }: StoredBackup): string {
  return `${keysOf.backup(id).top}wal/`
}

/** A segment is one whatever its form is, but for one that is not finished. */
function walNameOf(key: string, backup: StoredBackup): string {
  const name = key.slice(walOf(backup).length)
  const segment = segmentFileOf(name.replace(/\.age$/, ''))
  return segment && isFinished(segment) ? segment.name : name
}

const pieceBytes = 8 << 20

function objectSendable(store: ObjectStore, { key, bytes }: StoredObject): Sendable {
  return {
    bytes,
    async *read(from, length) {
      for (let at = from; at < from + length; at += pieceBytes) {
        const range = { from: at, length: Math.min(pieceBytes, from + length - at) }
        yield* await store.read(key, range, async (pieces) => {
          const all: Buffer[] = []
          for await (const piece of pieces) all.push(piece)
          return all
        })
      }
    },
  }
}
