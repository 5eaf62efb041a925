import type { StoredBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { formatBytes } from '../../text/format.js'

/** Names what would go, and asks. @throws {PgbkError} `usage` where nobody can be asked; `failed` when the answer is no. */
export async function confirmRemoval(
  command: 'prune' | 'delete',
  going: StoredBackup[],
  { ask }: Pick<Context, 'ask'>,
): Promise<void> {
  if (!ask)
    throw new PgbkError('usage', `${command} removes nothing without a confirmation`, {
      hint: 'Without a terminal, use --yes; prune --dry-run shows what would be removed.',
    })
  const size = formatBytes(going.reduce((sum, { storedBytes }) => sum + storedBytes, 0))
  const names = going.map(({ id, summary }) =>
    `  ${id}  ${(summary.label ?? '').replaceAll('\n', ' ')}`.trimEnd(),
  )
  const which = going.length === 1 ? 'this backup' : `these ${going.length} backups`
  if (await ask(`${names.join('\n')}\nDelete ${which} (${size}) from the store for good?`)) return
  throw new PgbkError('failed', 'nothing was removed')
}
