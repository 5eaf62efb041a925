import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import { readUploadState, stateOfStore } from '../catalog/uploads/upload-state.js'
import { readWalSent } from '../catalog/uploads/wal-sent.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { filesInArchive } from '../wal-archive/archive-listing.js'
import { isInService, readReceiverState } from '../wal-archive/receiver-state.js'
import type { ArchiveFile } from '../wal-segments/archive-segments.js'
import { segmentIn } from '../wal-segments/segment-forms.js'
import type { InUse } from './in-use.js'

/** Tells which stores lack a backup, or WAL of it, that is sent to them by itself: with the backup it would go. */
export function lackedByStores(
  root: RootLayout,
  { stores }: Pick<Settings, 'stores'>,
  context: Pick<Context, 'now'>,
): (backup: LocalBackup) => InUse[] {
  const names = Object.keys(stores).filter((name) => stores[name]?.upload !== 'never')
  const backups = storesThatLack(root, names)
  const wal = storesThatLackWal(root, names, context)
  return (backup) => [...backups(backup), ...wal(backup)]
}

const unwanted = 'If that store is no longer wanted, take it out of the configuration.'

function storesThatLack(root: RootLayout, names: string[]): (backup: LocalBackup) => InUse[] {
  const state = readUploadState(root)
  const lacking = names.map((name) => {
    const { pending } = stateOfStore(state, name)
    return { name, backups: new Set(pending.map(({ backup }) => backup)) }
  })
  return ({ id }) =>
    lacking
      .filter(({ backups }) => backups.has(id))
      .map(({ name }) => ({
        by: `the store ${name}, which lacks it`,
        hint: `The next create sends it, and so does pgbk upload. ${unwanted}`,
      }))
}

/** Where nobody receives any more, or what is sent there has no place, nothing is waited for. */
function storesThatLackWal(
  root: RootLayout,
  names: string[],
  { now }: Pick<Context, 'now'>,
): (backup: LocalBackup) => InUse[] {
  const receiver = readReceiverState(root)
  if (!receiver || !isInService(receiver, now())) return () => []
  const sent = readWalSent(root)
  const waiting = names.flatMap((name) => {
    const { at = null, waits = false } = sent[name] ?? {}
    return waits ? [{ name, sentMs: at === null ? 0 : Date.parse(at) }] : []
  })
  return (backup) => {
    const newest = newestWalMs(backup)
    return waiting
      .filter(({ sentMs }) => newest > sentMs)
      .map(({ name }) => ({
        by: `the store ${name}, which lacks WAL of it`,
        hint: `pgbk wal receive sends it. ${unwanted}`,
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
