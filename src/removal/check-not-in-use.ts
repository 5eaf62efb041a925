import type { BackupRef } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { findInUse } from './in-use.js'

/**
 * Makes sure that nobody needs these backups at this moment.
 * @throws {PgbkError} `failed`, naming the server, run or instance that does.
 */
export function checkNotInUse(backups: BackupRef[], root: string, context: Context): void {
  const inUseBy = findInUse(root, context)
  for (const backup of backups) {
    const [inUse] = inUseBy(backup)
    if (inUse)
      throw new PgbkError('failed', `backup ${backup.id} is in use by ${inUse.by}`, { hint: inUse.hint })
  }
}
