import { type ArchivedWal, readArchivedWal } from '../backup/archived-wal.js'
import type { Backup } from '../backup/catalog.js'
import { readCaughtUp } from '../backup/caught-up.js'
import { rootLayout } from '../backup/layout.js'
import { readReceiverState } from '../backup/receiver-state.js'
import { isRemoved } from '../backup/removed.js'
import {
  type BackupWindow,
  hasAllOf,
  holdsSnapshotOnly,
  keyOf,
  liveWindow,
  quickWindow,
  readKnownEnd,
  snapshotWindow,
  writeKnownEnd,
} from '../backup/window.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import type { ArchiveEnd } from './archive-end.js'
import type { Installation } from './find.js'

/** Finds windows. One for many backups looks for programs, and for a receiver, once. */
export interface WindowFinder {
  /**
   * Undefined when the backup has been removed meanwhile. What cannot be found out is the window's `fault`.
   * @throws the signal's reason when aborted.
   */
  windowOf(backup: Backup): Promise<BackupWindow | undefined>
}

export interface WindowPlaces {
  /** Where a receiver may be at work. */
  root: string
  bin_dir?: string | undefined
}

export function findWindows({ root, bin_dir }: WindowPlaces, context: Context): WindowFinder {
  const receiver = readReceiverState(rootLayout(root))
  let installations: Promise<Installation[]> | undefined
  const find = async (backup: Backup) => {
    const quick = quickWindow(backup)
    if (quick) return quick
    const wal = readArchivedWal(backup.layout.wal, backup.summary)
    if (holdsSnapshotOnly(backup, wal)) return snapshotWindow(backup, wal)
    const live = liveWindow(backup, wal, receiver, context.now())
    if (live) return live
    installations ??= import('./find.js').then(({ findInstallations }) => findInstallations(bin_dir, context))
    return archiveWindow(backup, wal, await installations, context)
  }
  return {
    windowOf: async (backup) => {
      try {
        const window = await find(backup)
        return (window.gap || window.fault !== undefined) && isRemoved(backup) ? undefined : window
      } catch (error) {
        context.signal.throwIfAborted()
        if (isRemoved(backup)) return undefined
        if (!isOfArchive(error)) throw error
        return { ...snapshotWindow(backup, { segments: 0 }), fault: messageOf(error) }
      }
    },
  }
}

/** Whether this one archive is not what it has to be, or is closed: that must not hide the windows of all the others. */
function isOfArchive(error: unknown): boolean {
  if (error instanceof PgbkError) return error.code === 'damaged'
  return ['ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')
}

/** The window up to the last commit in the archive, or to when a receiver that has gone on with a newer backup had everything. */
async function archiveWindow(
  backup: Backup,
  wal: ArchivedWal,
  installations: Installation[],
  context: Context,
): Promise<BackupWindow> {
  const last = wal.chain.at(-1)
  const known = readKnownEnd(wal.directory)
  if (!last) return snapshotWindow(backup, wal)
  const key = keyOf(last)
  if (known?.through === key) return windowTo(backup, wal, known.end_lsn, known.commit)
  const isFurther = known !== undefined && BigInt(known.segment) <= last.segment
  try {
    const major = Number.parseInt(backup.summary.server.version, 10)
    const { env, signal } = context
    const from = isFurther ? BigInt(known.segment) : undefined
    // Of thousands of backups, hardly any needs it.
    const { findArchiveEnd } = await import('./archive-end.js')
    const end: ArchiveEnd = await findArchiveEnd({ wal, major, installations, env, signal, from })
    const commit = end.commit ?? (isFurther ? known.commit : null)
    const segment = String(last.segment)
    await writeKnownEnd(wal.directory, { through: key, segment, end_lsn: end.record.endLsn, commit })
    return windowTo(backup, wal, end.record.endLsn, commit)
  } catch (error) {
    if (!(error instanceof PgbkError) || !['damaged', 'programs-missing'].includes(error.code)) throw error
    return beforeFault(backup, wal, error, installations, context)
  }
}

/** A damaged segment is like one that is missing: the window ends before it. */
function beforeFault(
  backup: Backup,
  wal: ArchivedWal,
  fault: PgbkError,
  installations: Installation[],
  context: Context,
): BackupWindow | Promise<BackupWindow> {
  const name = /WAL segment ([0-9A-F]{24})/.exec(fault.message)?.[1]
  const index = wal.chain.findIndex((segment) => segment.name === name)
  if (index === -1 || name === undefined) return { ...snapshotWindow(backup, wal), fault: fault.message }
  const gap = {
    after: wal.chain[index - 1]?.name,
    missing: name,
    next: wal.chain[index + 1]?.name,
    reason: fault.message.replace(/^.* is damaged: /, 'it is damaged: '),
  }
  const before = { ...wal, chain: wal.chain.slice(0, index), gap }
  if (holdsSnapshotOnly(backup, before)) return snapshotWindow(backup, before)
  return archiveWindow(backup, before, installations, context)
}

function windowTo(
  backup: Backup,
  wal: ArchivedWal,
  to_lsn: string,
  commit: { time: string } | null,
): BackupWindow {
  const window = snapshotWindow(backup, wal)
  const timeline = wal.chain.at(-1)?.timeline ?? window.timeline
  const known = readCaughtUp(wal.directory)
  const last = Math.max(Date.parse(window.from), commit ? Date.parse(commit.time) : 0)
  if (known && hasAllOf(wal, known) && Date.parse(known.at) > last)
    return { ...window, to: known.at, to_lsn, timeline, ends_with: 'caught-up' }
  // The clocks of two machines differ, and the copying ends before the backup is finished.
  if (!commit || Date.parse(commit.time) <= Date.parse(window.from)) return { ...window, to_lsn, timeline }
  return { ...window, to: commit.time, to_lsn, timeline, ends_with: 'commit' }
}
