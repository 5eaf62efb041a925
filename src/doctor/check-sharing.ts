import { join } from 'node:path'
import { type LocalBackup, plainSnapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import { freeBytes } from '../system/files/measure.js'
import { canShare } from '../system/files/share-file.js'
import { formatBytes } from '../text/format.js'
import { shellWord } from '../text/shell-word.js'
import { changedShare } from './changed-share.js'
import { advice, type Check, ok, skipped, warning } from './check.js'

/** Whether backups share what has not changed, could, or all share it. */
export async function checkSharing(
  { root, backups }: Catalog,
  { settings, context }: Task,
): Promise<Check[]> {
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
    return [await adviseReflinks(root, whole, context)]
  } catch (error) {
    context.signal.throwIfAborted()
    return [skipped('shared blocks', messageOf(error))]
  }
}

/** What the backups would take if each shared with the one before what has not changed, and a file system on which they do. */
async function adviseReflinks(
  root: string,
  [newest, ...others]: LocalBackup[],
  { signal }: Context,
): Promise<Check> {
  const [previous] = others
  const changed = newest && previous ? await changedShare(newest, previous, signal) : 1
  const sum = others.reduce((total, { storedBytes }) => total + storedBytes, 0)
  const full = sum + (newest?.storedBytes ?? 0)
  const shared = full - Math.round(sum * (1 - changed))
  return advice(
    'shared blocks',
    `none: ${others.length + 1} backups take ${formatBytes(full)}; on a file system with reflinks (XFS, Btrfs) each would take what has changed since the last, here about ${formatBytes(shared)} in all`,
    howToHaveReflinks(root, full + (await freeBytes(root))),
  )
}

/** With direct I/O such a file system is as fast as what it lies on; a file has the blocks that are written to. */
function howToHaveReflinks(root: string, bytes: number): string {
  const [file, directory] = [shellWord(`${root}.xfs`), shellWord(`${root}-xfs`)]
  return `An XFS in a file has them; as root, then make backups there (-C):
  truncate -s ${Math.ceil(bytes / 2 ** 30)}G ${file} && mkfs.xfs -q -m reflink=1 ${file}
  mkdir ${directory} && mount -o discard "$(losetup -f --show --direct-io=on ${file})" ${directory}
  chown --reference=${shellWord(root)} ${directory}`
}
