import { setTimeout as sleep } from 'node:timers/promises'
import type { Backup } from '../catalog/catalog.js'
import type { Context } from '../context.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/units.js'
import { noteGap } from '../wal-archive/gap-note.js'
import { backupAfter, backupAt, backupBefore } from './find-backup.js'
import { fillFrom, handOverTo } from './hand-over.js'
import { isOf, type Reception } from './reception.js'

const longestPauseTicks = 30

/** Waits for a moment; what may take for ever looks again and again. @throws the signal's reason when aborted. */
export async function rest({ signal, tickMs }: Context, ms = tickMs): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}

/** Longer and longer pauses, from one tick on. */
export function pauses({ tickMs }: Context) {
  let next = tickMs
  return {
    wait: async (context: Context) => {
      await rest(context, next)
      next = Math.min(2 * next, longestPauseTicks * tickMs)
    },
    reset: () => {
      next = tickMs
    },
  }
}

export type Pauses = ReturnType<typeof pauses>

/**
 * Only an older archive could mend a hole, if it was received into last. Else the next backup begins a new archive; the slot has
 * all that this one will need.
 */
export async function fillOrWait(reception: Reception, target: Backup, missing: string): Promise<void> {
  const before = backupBefore(reception.root, target.id, isOf(target.record.server.system_identifier))
  if (before && (await reception.heartbeat.handOver(target, () => fillFrom(before, target)))) return
  await noteGap(target.layout.wal, missing)
  await waitForNewer(
    reception,
    target,
    `the server no longer has WAL segment ${missing}: the window of backup ${target.id} ends before it`,
  )
}

/** Until the next backup nothing is received. @param why goes on with what has to be done. */
export async function waitForNewer(reception: Reception, target: Backup, why: string): Promise<void> {
  const { root, journal, heartbeat, context, slot } = reception
  const isSame = isOf(target.record.server.system_identifier)
  for (;;) {
    const newer = backupAfter(root, target.id, isSame)
    if (newer) return await handOverTo(reception, target, newer)
    if (!backupAt(root, target.id)) return
    journal.trouble(`${why}. Run ${context.pgbk('create')}; receiving goes on with the next backup`)
    journal.remind(
      `still waiting for a new backup (${context.pgbk('create')}): ${why}; the server keeps WAL for the slot ${slot} meanwhile`,
    )
    await heartbeat.beat('gap', journal.problem)
    await rest(context)
  }
}

export async function waitForRoom(
  { root, journal, heartbeat, context }: Reception,
  target: Backup,
): Promise<void> {
  const needed = 4 * target.record.wal_segment_size
  journal.trouble(
    `the disk under ${root.backups} is full: receiving is paused until ${formatBytes(needed)} are free, and the server keeps the WAL`,
  )
  while ((await freeBytes(root.backups)) < needed) {
    await heartbeat.beat('disk-full', journal.problem)
    await rest(context)
  }
  journal.report('there is room again')
}
