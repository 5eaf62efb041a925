import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { describeHold } from '../catalog/hold.js'
import { isId } from '../catalog/id.js'
import { openRootToChange } from '../catalog/prepare-root.js'
import { selectBackup } from '../catalog/select.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { localPlace } from '../place/local-place.js'
import { formatAtLeast } from '../text/format.js'
import type { WalMove } from '../wal-coverage/move-wal.js'
import { freedByAll, freedBytes } from './freed-bytes.js'
import { checkNotInUse } from './in-use.js'
import { removeKeepingWal } from './remove-keeping-wal.js'

export interface DeleteOptions {
  /** Do not ask. */
  yes?: boolean
  /** Allow that no whole backup is left. */
  last?: boolean
}

/** One that has gone, and what the disk got back. */
export type DeletedBackup = LocalBackup & { freedBytes: number }

export interface DeleteResult {
  deleted: DeletedBackup[]
  /** The WAL of theirs that others still need, and now have. */
  moved: WalMove[]
}

/** Removes backups, after asking. Without a terminal only whole ids count, so that a script cannot mean another one. */
export async function deleteBackups(
  ids: string[],
  options: DeleteOptions,
  { settings, context }: Task,
): Promise<DeleteResult> {
  if (!context.ask) requireWholeIds(ids)
  const root = openRootToChange(settings.root, context)
  const place = localPlace(root.root, context)
  const found = await place.list()
  const chosen = choose(found, ids, options, context)
  if (
    context.ask &&
    !options.yes &&
    !(await context.ask(await removalQuestion(chosen, found.backups, context)))
  )
    throw new PgbkError('failed', 'nothing was deleted')
  return place.lease('catalog', { purpose: 'delete', wait: true }, context, async (guarded, lease) => {
    const catalog = await place.list()
    const ids = chosen.map(({ id }) => id)
    const going = choose(catalog, ids, options, context)
    const deleted: DeletedBackup[] = []
    const moved: WalMove[] = []
    for (const [index, backup] of going.entries()) {
      guarded.progress.step(`deleting ${backup.id}`)
      const there = index === 0 ? catalog : await place.list()
      const removal = { catalog: there, going, promised: there.backups, root, place, lease }
      const freed = await freedBytes(backup, there.backups, guarded)
      moved.push(...(await removeKeepingWal(backup, removal, { settings, context: guarded })))
      deleted.push({ ...backup, freedBytes: freed })
    }
    return { deleted, moved }
  })
}

/** Names all that would go, and asks. */
export async function removalQuestion(
  chosen: LocalBackup[],
  all: readonly LocalBackup[],
  context: Context,
): Promise<string> {
  const size = formatAtLeast(await freedByAll(chosen, all, context))
  const names = chosen
    .map(({ id, summary }) => `  ${id}  ${(summary.label ?? '').replaceAll('\n', ' ')}`.trimEnd())
    .join('\n')
  return `${names}\nDelete ${chosen.length === 1 ? 'this backup' : `these ${chosen.length} backups`} (${size}) for good?`
}

export function requireWholeIds(ids: string[]): void {
  const unclear = ids.find((id) => !isId(id))
  if (unclear === undefined) return
  throw new PgbkError('usage', `${JSON.stringify(unclear)} is not a complete backup id`, {
    hint: 'Without a terminal, delete accepts only complete ids like 20261120T030000Z.',
  })
}

function choose(catalog: Catalog, ids: string[], options: DeleteOptions, context: Context): LocalBackup[] {
  const chosen = [...new Set(ids.map((id) => selectBackup(catalog, id, context)))]
  checkNoneLost(catalog, chosen, options)
  for (const { id, hold } of chosen) {
    if (hold)
      throw new PgbkError('failed', `backup ${id} is ${describeHold(hold)}`, {
        hint: `If it may go after all:\n  ${context.pgbk(`release ${id}`)}`,
      })
  }
  checkNotInUse(chosen, catalog.root, context)
  return chosen
}

/** @throws {PgbkError} `usage` when no whole backup would be left, unless that was said. */
export function checkNoneLost<B extends StoredBackup>(
  { backups }: Catalog<B>,
  chosen: B[],
  { last }: Pick<DeleteOptions, 'last'>,
): void {
  const staysWhole = backups.some((backup) => backup.state === 'whole' && !chosen.includes(backup))
  if (staysWhole || last || chosen.every(({ state }) => state !== 'whole')) return
  throw new PgbkError('usage', 'no whole backup would be left', { hint: 'If that is intended, use --last.' })
}
