import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/format.js'
import { noteGap } from '../wal-archive/gap-note.js'
import { backupAfter, backupAt, backupBefore, isOfCluster } from './find-backup.js'
import { fillFrom, handOverTo } from './hand-over-archive.js'
import type { ReceiverSession } from './receiver-session.js'

const longestPauseTicks = 30

/** Waits for a moment; what may take for ever looks again and again. @throws the signal's reason when aborted. */
export async function pauseFor({ signal, tickMs }: Context, ms = tickMs): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}

/** Longer and longer pauses, from one tick on. */
export function growingPauses({ tickMs }: Context) {
  let next = tickMs
  return {
    wait: async (context: Context) => {
      await pauseFor(context, next)
      next = Math.min(2 * next, longestPauseTicks * tickMs)
    },
    reset: () => {
      next = tickMs
    },
  }
}

export type GrowingPauses = ReturnType<typeof growingPauses>

/**
 * Only an older archive could mend a hole, if it was received into last. Else the next backup begins a new archive; the slot has
 * all that this one will need.
 */
export async function fillOrWait(
  session: ReceiverSession,
  target: LocalBackup,
  missing: string,
): Promise<void> {
  const before = backupBefore(session.root, target.id, isOfCluster(recordOf(target).server.system_identifier))
  if (before && (await session.receiverReport.handOver(target, () => fillFrom(before, target)))) return
  await noteGap(layoutOf(target).wal, missing)
  await waitForNewer(
    session,
    target,
    `the server no longer has WAL segment ${missing}: the window of backup ${target.id} ends before it`,
  )
}

/** Until the next backup nothing is received. @param why goes on with what has to be done. */
export async function waitForNewer(
  session: ReceiverSession,
  target: LocalBackup,
  why: string,
): Promise<void> {
  const { root, log, receiverReport, context, slot } = session
  const isSame = isOfCluster(recordOf(target).server.system_identifier)
  for (;;) {
    const newer = backupAfter(root, target.id, isSame)
    if (newer) return await handOverTo(session, target, newer)
    if (!backupAt(root, target.id)) return
    log.trouble(`${why}. Run ${context.pgbk('create')}; receiving goes on with the next backup`)
    log.remind(
      `still waiting for a new backup (${context.pgbk('create')}): ${why}; the server keeps WAL for the slot ${slot} meanwhile`,
    )
    await receiverReport.update('gap', log.problem)
    await pauseFor(context)
  }
}

export async function waitForRoom(
  { root, log, receiverReport, context }: ReceiverSession,
  target: LocalBackup,
): Promise<void> {
  const needed = 4 * recordOf(target).wal_segment_size
  log.trouble(
    `the disk under ${root.backups} is full: receiving is paused until ${formatBytes(needed)} are free, and the server keeps the WAL`,
  )
  while ((await freeBytes(root.backups)) < needed) {
    await receiverReport.update('disk-full', log.problem)
    await pauseFor(context)
  }
  log.report('there is room again')
}
