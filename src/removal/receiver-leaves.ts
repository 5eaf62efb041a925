import { setTimeout as sleep } from 'node:timers/promises'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { readAliveReceiver } from '../wal-archive/receiver-state.js'

/** In which a receiver writes into archives. */
const atWork = new Set(['receiving', 'handing-over'])

/**
 * Whether a receiver may be writing into the archive of a backup, by what it has said last.
 * @param goneAt when the backup's record went, ms: what was said since tells that a receiver without another backup writes nowhere.
 */
export function isReceivedInto(
  root: RootLayout,
  id: string,
  { now }: Pick<Context, 'now'>,
  goneAt = Number.POSITIVE_INFINITY,
): boolean {
  const receiver = readAliveReceiver(root, now())
  if (receiver?.backup !== id) return false
  return atWork.has(receiver.status) || Date.parse(receiver.updated_at) <= goneAt
}

const mostWaitMs = 10_000

/**
 * Waits until a receiver has left the archive of a backup whose record has just gone: it looks every second whether that is still there.
 * @returns false when it has not done so for long.
 */
export async function receiverLeaves(
  root: RootLayout,
  id: string,
  context: Pick<Context, 'now' | 'signal'>,
): Promise<boolean> {
  const goneAt = context.now().getTime()
  const end = Date.now() + mostWaitMs
  while (isReceivedInto(root, id, context, goneAt)) {
    if (Date.now() >= end) return false
    context.signal.throwIfAborted()
    await sleep(100)
  }
  return true
}
