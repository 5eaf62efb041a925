import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import { isRemoved } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import type { Installation } from '../postgres/programs/find.js'
import { type ArchivedWal, lastOf, readArchivedWal } from '../wal-archive/archived-wal.js'
import { chainCaughtUpBefore, chainCaughtUpNow } from '../wal-archive/caught-up.js'
import { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { type ReceiverState, readReceiverState } from '../wal-archive/receiver-state.js'
import { walPool } from '../wal-archive/wal-pool.js'
import { DamagedSegment, damageIn, upTo, type WalDamage } from '../wal-reading/wal-damage.js'
import type { DamageFinder } from './find-damage.js'
import type { EndFinder } from './known-ends.js'
import { type BackupWindow, holdsSnapshotOnly, quickWindow, snapshotWindow, windowTo } from './window.js'

/** Finds windows. One for many backups looks for programs, for a receiver, and at each archive once. */
interface WindowFinder {
  /**
   * Undefined when the backup has been removed meanwhile. What cannot be found out is the window's `fault`.
   * @throws the signal's reason when aborted.
   */
  windowOf(backup: LocalBackup): Promise<BackupWindow | undefined>
}

interface WindowPlaces {
  /** Where a receiver may be at work. */
  root: string
  bin_dir?: string | undefined
}

/** @param catalog all backups of the root: a window goes on in the WAL of others. */
export function findWindows(
  places: WindowPlaces,
  catalog: Pick<Catalog, 'root' | 'backups' | 'rejected'>,
  context: Context,
): WindowFinder {
  const pool = walPool(catalog)
  const finders = findersFor(places, context)
  const options = {
    env: context.env,
    signal: context.signal,
    installations: finders.installations,
  }
  const find = async (backup: LocalBackup) => {
    const quick = quickWindow(backup, pool)
    if (quick) return quick
    // Of thousands of backups, hardly any needs what is loaded here.
    const { soundWal } = await import('./sound-wal.js')
    const { wal } = await unlessProgramsMissing(
      () =>
        soundWal(backup, pool, options, async (wal) => ({
          wal,
          damage: await firstDamage(backup, wal, finders),
        })),
      () => ({ wal: readArchivedWal(layoutOf(backup).wal, backup.summary) }),
    )
    return windowThrough(backup, wal, finders)
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

/** Ways to look into WAL; what one of them needs is loaded when it is asked first. */
interface Finders {
  installations(): Promise<Installation[]>
  damages(): Promise<DamageFinder>
  ends(): Promise<EndFinder>
  /** The window of WAL that a receiver is writing to now. */
  live(backup: LocalBackup, wal: ArchivedWal): BackupWindow | undefined
}

function findersFor({ root, bin_dir }: WindowPlaces, context: Context): Finders {
  const receiver = readReceiverState(rootLayout(root))
  const notes = new SegmentNotes(rootLayout(root).backups, 0)
  let found: Promise<Installation[]> | undefined
  const installations = () => {
    found ??= import('../postgres/programs/find.js').then(({ findInstallations }) =>
      findInstallations(bin_dir, context),
    )
    return found
  }
  let ends: Promise<EndFinder> | undefined
  let damages: Promise<DamageFinder> | undefined
  return {
    installations,
    damages: () => {
      damages ??= import('./find-damage.js').then(({ findDamages }) =>
        findDamages({ notes, installations, context }),
      )
      return damages
    },
    ends: () => {
      ends ??= import('./known-ends.js').then(({ findEnds }) => findEnds(installations, context, notes))
      return ends
    },
    live: (backup, wal) => liveWindow(backup, wal, receiver, context.now()),
  }
}

async function windowThrough(backup: LocalBackup, wal: ArchivedWal, finders: Finders): Promise<BackupWindow> {
  if (holdsSnapshotOnly(backup, wal)) return snapshotWindow(backup, wal)
  const damage = await knownDamage(backup, wal, finders)
  const sound = damage ? beforeDamage(wal, damage) : wal
  if (holdsSnapshotOnly(backup, sound)) return snapshotWindow(backup, sound)
  return finders.live(backup, sound) ?? archiveWindow(backup, sound, await finders.ends())
}

/** The first damage that is known, or shows without all being read. */
async function firstDamage(
  backup: LocalBackup,
  wal: ArchivedWal,
  finders: Finders,
): Promise<WalDamage | undefined> {
  if (holdsSnapshotOnly(backup, wal)) return undefined
  const known = await knownDamage(backup, wal, finders)
  if (known || !lastOf(wal) || finders.live(backup, wal)) return known
  try {
    await (await finders.ends()).endOf(backup, wal)
    return undefined
  } catch (error) {
    if (!(error instanceof PgbkError) || !['damaged', 'programs-missing'].includes(error.code)) throw error
    return error instanceof DamagedSegment ? damageIn(wal.chain, error) : undefined
  }
}

function knownDamage(
  backup: LocalBackup,
  wal: ArchivedWal,
  finders: Finders,
): Promise<WalDamage | undefined> {
  return unlessProgramsMissing(
    async () => (await finders.damages()).damageOf(backup, wal),
    () => undefined,
  )
}

async function unlessProgramsMissing<T>(work: () => Promise<T>, otherwise: () => T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'programs-missing') return otherwise()
    throw error
  }
}

/** Whether this one archive is not what it has to be, or is closed: that must not hide the windows of all the others. */
function isOfArchive(error: unknown): boolean {
  if (error instanceof PgbkError) return error.code === 'damaged'
  return ['ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')
}

/** The window of WAL that a receiver is writing to now, with no need to read it; undefined where there is none. */
function liveWindow(
  backup: LocalBackup,
  wal: ArchivedWal,
  receiver: ReceiverState | undefined,
  now: Date,
): BackupWindow | undefined {
  const known = chainCaughtUpNow(wal, receiver, now)
  const window = snapshotWindow(backup, wal)
  if (!known || Date.parse(known.at) < Date.parse(window.from)) return undefined
  const { at, lsn, timeline } = known
  return { ...window, to: at, to_lsn: lsn, ends_with: 'caught-up', timeline }
}

/** The window up to the last commit in the WAL, or to when a receiver that has gone on with a newer backup had everything. */
async function archiveWindow(backup: LocalBackup, wal: ArchivedWal, ends: EndFinder): Promise<BackupWindow> {
  if (!lastOf(wal)) return snapshotWindow(backup, wal)
  try {
    return windowTo(backup, wal, await ends.endOf(backup, wal), chainCaughtUpBefore(wal))
  } catch (error) {
    if (!(error instanceof PgbkError) || !['damaged', 'programs-missing'].includes(error.code)) throw error
    const damage = error instanceof DamagedSegment ? damageIn(wal.chain, error) : undefined
    if (!damage) return { ...snapshotWindow(backup, wal), fault: error.message }
    const before = beforeDamage(wal, damage)
    return holdsSnapshotOnly(backup, before)
      ? snapshotWindow(backup, before)
      : archiveWindow(backup, before, ends)
  }
}

/** A damaged segment is like one that is missing, but for what can be read of it. */
function beforeDamage(wal: ArchivedWal, damage: WalDamage): ArchivedWal {
  // That has been tried.
  const isCut = lastOf(wal)?.form === 'partial' && damage.index === wal.chain.length - 1
  return upTo(wal, { ...damage, isReadable: damage.isReadable && !isCut })
}
