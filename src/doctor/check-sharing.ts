import { join } from 'node:path'
import { plainSnapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import { messageOf } from '../errors.js'
import { canShare } from '../system/files/share-file.js'
import { formatBytes } from '../text/format.js'
import { type Check, ok, skipped, warning } from './check.js'

/** Whether backups share what has not changed, could, or all share it. */
export function checkSharing({ root, backups }: Catalog, { settings, context }: Task): Check[] {
  const whole = backups.filter(({ form, state }) => form === 'plain' && state === 'whole')
  const [newest] = whole
  if (!newest || whole.length < 2) return []
  const full = whole.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const own = whole.reduce((sum, { ownBytes }) => sum + ownBytes, 0)
  const count = `${whole.length} backups`
  if (whole.every(({ summary }) => summary.shared))
    return [
      warning(
        'shared blocks',
        `all ${count} share blocks with others: one bad sector can hit every one of them`,
        `Make one that stands alone:\n  ${context.pgbk('create --independent')}`,
      ),
    ]
  if (own < full) return [ok('shared blocks', `${count} of ${formatBytes(full)} take ${formatBytes(own)}`)]
  if (settings.create.thin === 'off') return [ok('shared blocks', 'none: create.thin is off')]
  try {
    if (canShare(join(plainSnapshotOf(newest).data, 'PG_VERSION'), rootLayout(root).backups))
      return [ok('shared blocks', `the next backup will share with ${newest.id} what has not changed`)]
  } catch (error) {
    return [skipped('shared blocks', messageOf(error))]
  }
  return [
    ok(
      'shared blocks',
      `none: ${count} take ${formatBytes(full)}; on a file system with reflinks (XFS, Btrfs) each would take what has changed since the last`,
    ),
  ]
}
