import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { removeHold, writeHold } from '../catalog/hold.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import { localPlace } from '../place/local-place.js'
import { checkPlainLine } from '../text/printable.js'

export interface HoldOptions {
  reason?: string
}

/**
 * Keeps a backup from being removed until it is released. Said again, the newer reason counts. When this returns, no prune
 * and no delete that has already begun can remove it.
 * @throws {PgbkError} `not-found`; `usage` for a reason that is not one line.
 */
export async function holdBackup(id: string, { reason }: HoldOptions, task: Task): Promise<LocalBackup> {
  checkPlainLine(reason, 'reason')
  return change(id, 'hold', task, async (backup) => {
    if (backup.hold && reason === undefined) return
    await writeHold(layoutOf(backup), {
      format: 1,
      since: task.context.now().toISOString(),
      reason: reason ?? null,
    })
  })
}

/** Lifts a hold; one that is not held stays so, and that is said. @throws {PgbkError} `not-found`. */
export async function releaseBackup(id: string, task: Task): Promise<LocalBackup> {
  return change(id, 'release', task, async (backup) => {
    if (backup.hold) await removeHold(layoutOf(backup))
    else task.context.progress.warn(`${id} was not held`)
  })
}

/** Returns the backup as it is afterwards. */
async function change(
  wanted: string,
  purpose: string,
  { settings, context }: Task,
  work: (backup: LocalBackup) => Promise<void>,
): Promise<LocalBackup> {
  const { root } = openRootToChange(settings.root, context)
  const place = localPlace(root, context)
  const { id } = selectBackup(await place.list(), wanted, context)
  return place.lease('catalog', { purpose, wait: true }, context, async (_guarded, lease) => {
    await lease.check()
    await work(selectBackup(await place.list(), id, context))
    return selectBackup(await place.list(), id, context)
  })
}
