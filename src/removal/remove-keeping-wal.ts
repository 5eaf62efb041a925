import { setTimeout as sleep } from 'node:timers/promises'
import type { LocalBackup } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import type { LocalPlace } from '../place/local-place.js'
import { findInstallations } from '../postgres/programs/find.js'
import type { HeldLock } from '../system/files/lock.js'
import { formatBytes } from '../text/units.js'
import { isReceiverAlive, readReceiverState } from '../wal-archive/receiver-state.js'
import type { JoiningOptions } from '../wal-coverage/joined-wal.js'
import { moveWal, type WalMove } from '../wal-coverage/move-wal.js'
import { neededWal, type Removal } from './needed-wal.js'

/** What moves before backups are removed. Nothing is changed by this. */
export async function plannedMoves(
  removal: Removal,
  settings: Settings,
  context: Context,
): Promise<WalMove[]> {
  const options = joiningFor(settings, context)
  const moves: WalMove[] = []
  for (const from of removal.going) moves.push(...(await neededWal(from, removal, options)))
  return moves.filter(hasSegments)
}

/** With what archives are looked into. */
export function joiningFor({ bin_dir }: Settings, context: Context): JoiningOptions {
  const { env, signal } = context
  return { env, signal, installations: () => findInstallations(bin_dir, context) }
}

/**
 * Removes a backup when the WAL that others need has moved to them. What a receiver has written into its archive since then follows
 * when that has turned to another one.
 * @returns what has moved.
 */
export async function removeKeepingWal(
  removal: Removal & { backup: LocalBackup; root: RootLayout; place: LocalPlace; lease: HeldLock },
  settings: Settings,
  context: Context,
): Promise<WalMove[]> {
  const { backup, root, place, lease } = removal
  const plan = () => neededWal(backup, removal, joiningFor(settings, context))
  const moves = await plan()
  for (const move of moves.filter(hasSegments)) context.progress.say(moveText(move))
  for (const move of moves) await moveWal(move)
  await lease.check()
  const isAlone = removal.promised.every(({ id }) => id === backup.id)
  await place.remove(backup, async () => {
    if (isAlone || !isReceivedInto(root, backup, context)) return
    await untilLeft(root, backup, context)
    for (const move of await plan()) await moveWal(move)
  })
  return moves.filter(hasSegments)
}

/** Timeline histories alone are nobody's business. */
function hasSegments({ segments }: WalMove): boolean {
  return segments.length > 0
}

/** `its WAL (3 segments, 48 MB) moves to ID, which still needs it` */
export function moveText({ from, to, segments }: Pick<WalMove, 'from' | 'to' | 'segments'>): string {
  return `the WAL of ${from.id} (${sizeText(segments)}) moves to ${to.id}, which still needs it`
}

/** `3 segments, 48 MB` */
export function sizeText(segments: WalMove['segments']): string {
  const bytes = segments.reduce((sum, one) => sum + one.bytes, 0)
  return `${segments.length} ${segments.length === 1 ? 'segment' : 'segments'}, ${formatBytes(bytes)}`
}

function isReceivedInto(root: RootLayout, { id }: LocalBackup, { now }: Context): boolean {
  const receiver = readReceiverState(root)
  return receiver?.backup === id && isReceiverAlive(receiver, now())
}

const mostWaitMs = 10_000

/** It looks every second whether its backup is still there. */
async function untilLeft(root: RootLayout, backup: LocalBackup, context: Context): Promise<void> {
  const end = Date.now() + mostWaitMs
  while (isReceivedInto(root, backup, context) && Date.now() < end) await sleep(100)
}
