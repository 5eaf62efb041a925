import type { LocalBackup } from '../../catalog/backup.js'
import { claimedCluster } from '../../catalog/check-cluster.js'
import { isId } from '../../catalog/id.js'
import type { RootLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { factsOf, PgbkError } from '../../errors.js'
import { keysOf } from '../../place/store/keys.js'
import { sentUnseen, thereUnseen } from '../earlier/there-unseen.js'
import { type BackupThere, findThere } from '../find-there.js'
import type { OpenStore } from '../open-stores.js'
import { misfitOf, otherReadersOf } from '../wrapping/misfit.js'

/** Which backup of a store gets the WAL of which of a root. */
export interface WalDestinations {
  /** Looks which backups there are by now. @throws what the store says: `not-found` for one that is not there, as a disk that is not mounted. */
  look(): Promise<void>
  /**
   * Until a backup has come there, its WAL goes to the nearest older one that has, and is wrapped alike: from that it can be replayed.
   * @returns why there is none, in a sentence, where that is so.
   */
  destinationOf(backup: LocalBackup): Promise<BackupThere | string>
}

/** @param here gives the backups of the root. */
export function walDestinations(
  store: OpenStore,
  here: () => readonly LocalBackup[],
  root: RootLayout,
  context: Context,
): WalDestinations {
  const { objects, recipients, mayRead } = store
  const known = new Map<string, BackupThere>()
  const warned = new Set<string>()
  let ids: string[] = []
  let unseen = new Set<string>()

  const warnOnce = (text: string) => {
    if (!warned.has(text)) context.progress.warn(text)
    warned.add(text)
  }

  const findUnseen = (id: string) => {
    const backup = here().find((one) => one.id === id)
    return backup && thereUnseen(backup, store, root)
  }

  /** One that is damaged there keeps the others from nothing. */
  const find = (id: string) =>
    findThere(here().find((one) => one.id === id) ?? { id }, store, context).catch((error) => {
      if (!isFaultOfBackup(error)) throw error
      warnOnce(`the store ${store.name} gets no WAL for ${id}: ${error.message}`)
      return undefined
    })

  const thereOf = async (id: string): Promise<BackupThere | undefined> => {
    if (!unseen.has(id)) return known.get(id)
    const before = known.get(id)
    const isStill = before && (!mayRead || (await objects.stat(keysOf.backup(id).record)))
    const found = isStill ? before : mayRead ? await find(id) : findUnseen(id)
    if (found) known.set(id, found)
    else known.delete(id)
    unseen.delete(id)
    return found
  }

  return {
    async look() {
      const there = mayRead ? await objects.directoriesIn(keysOf.backups) : sentUnseen(store, root)
      ids = there.filter(isId).sort().reverse()
      unseen = new Set(ids)
      await store.walSent?.keepOnly(ids)
    },
    async destinationOf(backup) {
      let misfit: string | undefined
      for (const id of ids.filter((one) => one <= backup.id)) {
        const there = await thereOf(id)
        if (!there || there.summary.server.system_identifier !== claimedCluster(backup)) continue
        const why = misfitOf(there.summary, recipients)
        misfit ??= why
        if (why !== undefined) continue
        const readers = otherReadersOf(there.summary, recipients)
        if (readers !== undefined) warnOnce(`the store ${store.name}: ${readers}`)
        return there
      }
      return misfit ?? `no backup is there yet that the WAL of ${backup.id} goes on from`
    },
  }
}

/** What a store itself may not do is none of a backup. */
function isFaultOfBackup(error: unknown): error is PgbkError {
  if (!(error instanceof PgbkError)) return false
  return error.code === 'damaged' || (error.code === 'failed' && factsOf(error).kind !== 'access-denied')
}
