import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import { readWalSent } from '../catalog/uploads/wal-sent.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { filesInArchive } from '../wal-archive/archive-listing.js'
import { isInService, readReceiverState } from '../wal-archive/receiver-state.js'
import type { ArchiveFile } from '../wal-segments/archive-segments.js'
import { segmentIn } from '../wal-segments/segment-forms.js'
import type { InUse } from './in-use.js'

/**
 * Tells which stores lack WAL of a backup that the receiver has still to send them: with the backup it would go. Where nobody receives any
 * more, or what is sent there has no place, nothing is waited for.
 */
export function storesThatLackWal(
  root: RootLayout,
  { stores }: Pick<Settings, 'stores'>,
  { now }: Pick<Context, 'now'>,
): (backup: LocalBackup) => InUse[] {
  const receiver = readReceiverState(root)
  if (!receiver || !isInService(receiver, now())) return () => []
  const sent = Object.entries(readWalSent(root)).flatMap(([name, { at, waits }]) => {
    const takes = Object.hasOwn(stores, name) && stores[name]?.upload !== 'never'
    return takes && waits && at !== null ? [{ name, sentMs: Date.parse(at) }] : []
  })
  return (backup) => {
    const newest = newestWalMs(backup)
    return sent
      .filter(({ sentMs }) => newest > sentMs)
      .map(({ name }) => ({
        by: `the store ${name}, which lacks WAL of it`,
        hint: 'pgbk wal receive sends it. If that store is no longer wanted, take it out of the configuration.',
      }))
  }
}

/** When a segment was last finished, or written to, in its archive. */
function newestWalMs(backup: LocalBackup): number {
  const { wal } = layoutOf(backup)
  const times = filesIn(wal)
    .filter(({ name }) => segmentIn(name) !== undefined)
    .map(({ name }) => lstatSync(join(wal, name), { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return times.reduce((newest, time) => Math.max(newest, time), 0)
}

/** None of an archive that cannot be read: nothing of it is sent either. */
function filesIn(archive: string): ArchiveFile[] {
  try {
    return filesInArchive(archive)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return []
    throw error
  }
}
