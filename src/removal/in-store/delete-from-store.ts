import type { StoredBackup } from '../../catalog/backup.js'
import type { Catalog } from '../../catalog/catalog.js'
import { describeHold } from '../../catalog/hold.js'
import { selectBackup } from '../../catalog/select.js'
import { resolveSource } from '../../catalog/source-place.js'
import type { Task } from '../../config/load.js'
import { type Context, withEnds } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { openWritableStore } from '../../place/open-writable-store.js'
import { shellWord } from '../../text/shell-word.js'
import { checkNoneLost, type DeleteOptions, requireWholeIds } from '../delete.js'
import { confirmRemoval } from './confirm-removal.js'
import { keptForText, moveWalThere, neededThere, type WalMoveThere } from './keep-wal-there.js'
import { type RemovedThere, removeFromStore } from './remove-from-store.js'

/** One that was to be deleted, and what became of it. */
export type DeletedThere = RemovedThere & { backup: StoredBackup; location: string }

export interface DeleteFromStoreResult {
  deleted: DeletedThere[]
  moved: WalMoveThere[]
}

/** Removes backups from a store, after asking. @throws {PgbkError} as `deleteBackups`. */
export async function deleteFromStore(
  ids: string[],
  from: string,
  options: Omit<DeleteOptions, 'from'>,
  { settings, context }: Task,
): Promise<DeleteFromStoreResult> {
  if (!context.ask) requireWholeIds(ids)
  return withEnds(context, async (own) => {
    const { objects, place } = await openWritableStore(from, { settings, context: own })
    const catalog = await place.list()
    const named = resolveSource(from, context.cwd, settings.stores)
    const chosen = choose(catalog, ids, named, options, own)
    if (context.ask && !options.yes) await confirmRemoval('delete', chosen, own)
    const staying = catalog.backups.filter((one) => !chosen.includes(one))
    const result: DeleteFromStoreResult = { deleted: [], moved: [] }
    for (const backup of chosen) {
      own.signal.throwIfAborted()
      own.progress.step(`deleting ${backup.id} from ${objects.name}`)
      const needed = await neededThere(objects, backup, staying)
      if (needed && 'keptFor' in needed) throw keptFor(needed.keptFor, backup, named, own)
      const move = needed?.move
      if (move) await moveWalThere(objects, move)
      if (move) result.moved.push(move)
      const removed = await removeFromStore(objects, backup.id)
      result.deleted.push({ ...removed, backup, location: place.locationOf(backup.id) })
    }
    return result
  })
}

function keptFor(older: StoredBackup, { id }: StoredBackup, named: string, { pgbk }: Context): PgbkError {
  return new PgbkError('failed', `backup ${id} stays: ${keptForText(older)}`, {
    hint: `If that one may go first:\n  ${pgbk(`delete ${older.id} --from ${shellWord(named)}`)}`,
  })
}

/** The oldest first. */
function choose(
  catalog: Catalog<StoredBackup>,
  ids: string[],
  named: string,
  options: DeleteOptions,
  context: Context,
): StoredBackup[] {
  const chosen = [...new Set(ids.map((id) => selectBackup(catalog, id, context, named)))]
  checkNoneLost(catalog, chosen, options)
  for (const { id, hold } of chosen)
    if (hold)
      throw new PgbkError('failed', `backup ${id} is ${describeHold(hold)}`, {
        hint: `If it may go after all:\n  ${context.pgbk(`release ${id} --from ${shellWord(named)}`)}`,
      })
  return chosen.sort((one, other) => (one.id < other.id ? -1 : 1))
}
