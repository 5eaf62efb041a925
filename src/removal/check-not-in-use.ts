import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { findUses, type UsableBackup } from './uses.js'

/**
 * Makes sure that nobody needs these backups at this moment.
 * @throws {PgbkError} `failed`, naming the server, run or instance that does.
 */
export function checkNotInUse(backups: UsableBackup[], root: string, context: Context): void {
  const usesOf = findUses(root, context)
  for (const backup of backups) {
    const [use] = usesOf(backup)
    if (use) throw new PgbkError('failed', `backup ${backup.id} is in use by ${use.by}`, { hint: use.hint })
  }
}
