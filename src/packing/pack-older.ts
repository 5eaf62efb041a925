import { type LocalBackup, plainSnapshotOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import type { Task } from '../config/load.js'
import { type ErrorCode, messageOf, PgbkError } from '../errors.js'
import { freedBytes } from '../removal/freed-bytes.js'
import { findInUse } from '../removal/in-use.js'
import { spanMs } from '../retention/calendar.js'
import { estimateSaving } from './estimate-saving.js'
import { pack } from './pack.js'

/** A backup that was packed, or, in a dry run, would be. */
export interface PackedOlder {
  backup: LocalBackup
  /** What the disk gets back: about, in a dry run. */
  savedBytes: number
}

/** What the next one would fail for as well. */
const lasting: ReadonlySet<ErrorCode> = new Set(['programs-missing', 'disk-full', 'locked'])

/**
 * Packs the plain whole backups that are older than `retention.pack_after`, the oldest first, where that saves anything: what shares its
 * blocks with others may take less as it is. One that is in use has to wait for the next time. One that cannot be packed is told of, and
 * stays as it is.
 * @param staying the backups that it is about.
 * @throws the signal's reason when aborted.
 */
export async function packOlder(
  staying: ReadonlySet<string>,
  { dryRun }: { dryRun: boolean },
  task: Task,
): Promise<PackedOlder[]> {
  const { context, settings } = task
  if (settings.retention?.pack_after === undefined) return []
  const before = context.now().getTime() - spanMs(settings.retention.pack_after)
  const { backups } = readCatalog(settings.root)
  const older = backups.filter((one) => staying.has(one.id) && Date.parse(one.summary.started_at) <= before)
  const done: PackedOlder[] = []
  for (const backup of packable(older, task)) {
    context.signal.throwIfAborted()
    try {
      const saving = await estimateSaving(plainSnapshotOf(backup).snapshot, context)
      // What it shares with others stays on the disk.
      const freed = await freedBytes(backup, backups, context)
      const savedBytes = saving.savedBytes - (backup.storedBytes - freed)
      if (savedBytes <= 0) continue
      if (dryRun) done.push({ backup, savedBytes })
      else {
        const packed = await pack(backup.id, { settings, context })
        done.push({ backup: packed.backup, savedBytes: packed.savedBytes })
      }
    } catch (error) {
      context.signal.throwIfAborted()
      context.progress.warn(`${backup.id} is not packed: ${messageOf(error)}`)
      if (error instanceof PgbkError && lasting.has(error.code)) break
    }
  }
  return done
}

/** Those that may be packed now, the oldest first. */
function packable(older: LocalBackup[], { settings, context }: Task): LocalBackup[] {
  const found = older.filter(
    (one) => one.form === 'plain' && one.state === 'whole' && recordFault(one) === undefined,
  )
  const inUseBy = found.length > 0 ? findInUse(settings.root, context) : () => []
  return found.filter((one) => inUseBy(one).length === 0).reverse()
}
