import type { LocalBackup } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import type { LocalPlace } from '../place/local-place.js'
import { findInstallations } from '../postgres/programs/find.js'
import type { HeldLock } from '../system/files/lock.js'
import { formatBytes } from '../text/format.js'
import type { JoiningOptions } from '../wal-coverage/joined-wal.js'
import { moveWal, type WalMove } from '../wal-coverage/move-wal.js'
import { neededWal, type PlannedRemoval } from './needed-wal.js'
import { isReceivedInto, receiverLeaves } from './receiver-leaves.js'

/** What moves before backups are removed. Nothing is changed by this. */
export async function plannedMoves(removal: PlannedRemoval, task: Task): Promise<WalMove[]> {
  const needed = neededWal(removal, joiningFor(task))
  const moves: WalMove[] = []
  for (const from of removal.going) moves.push(...(await needed(from)))
  return moves.filter(hasSegments)
}

/** With what archives are looked into. */
export function joiningFor({ settings, context }: Task): JoiningOptions {
  const { env, signal } = context
  return { env, signal, installations: () => findInstallations(settings.bin_dir, context) }
}

/**
 * Removes a backup when the WAL that others need has moved to them. What a receiver has written into its archive since then follows
 * when that has turned to another one.
 * @returns what has moved.
 */
export async function removeKeepingWal(
  backup: LocalBackup,
  removal: PlannedRemoval & { root: RootLayout; place: LocalPlace; lease: HeldLock },
  task: Task,
): Promise<WalMove[]> {
  const { root, place, lease } = removal
  const { context } = task
  const plan = () => neededWal(removal, joiningFor(task))(backup)
  const moves = await plan()
  for (const { from, to, segments } of moves.filter(hasSegments))
    context.progress.say(
      `the WAL of ${from.id} (${sizeText(segments)}) moves to ${to.id}, which still needs it`,
    )
  for (const move of moves) await moveWal(move)
  await lease.check()
  const isAlone = removal.promised.every(({ id }) => id === backup.id)
  await place.remove(backup, async () => {
    if (isAlone || !isReceivedInto(root, backup.id, context)) return
    await receiverLeaves(root, backup.id, context)
    for (const move of await plan()) await moveWal(move)
  })
  return moves.filter(hasSegments)
}

/** Timeline histories alone are nobody's business. */
function hasSegments({ segments }: WalMove): boolean {
  return segments.length > 0
}

/** `3 segments, 48 MB` */
export function sizeText(segments: WalMove['segments']): string {
  const bytes = segments.reduce((sum, one) => sum + one.bytes, 0)
  return `${segments.length} ${segments.length === 1 ? 'segment' : 'segments'}, ${formatBytes(bytes)}`
}
