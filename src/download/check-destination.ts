import { existsSync, realpathSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isLocal, type LocalBackup, plainSnapshotOf, type StoredBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import type { RootLayout } from '../catalog/layout.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { imageOf } from '../forms/check-image.js'
import type { Place } from '../place/contract/place.js'
import { checkComplete } from '../snapshot/completeness.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/format.js'
import { shellWord } from '../text/shell-word.js'
import { identityOf, isSameBackup } from './download-directory.js'

/** @throws {PgbkError} `usage` when a root would be copied into itself. */
export function checkOtherRoot(source: Place, root: string): void {
  if (source.directory === undefined || realOf(source.directory) !== realOf(root)) return
  throw new PgbkError('usage', `source and destination are the same: ${source.name} is ${root}`, {
    hint: 'Name another root with --from, or another destination with --to.',
  })
}

/** Where links lead, also for a directory that is still to be made. */
function realOf(path: string): string {
  return existsSync(path) || dirname(path) === path
    ? realpathSync(path)
    : join(realOf(dirname(path)), basename(path))
}

/**
 * Makes sure that a backup of a source is whole, as far as that can be seen before it is read.
 * @param printed the source, for a command to paste.
 * @returns its record.
 * @throws {PgbkError} `damaged`; `not-found` when it has been removed meanwhile.
 */
export async function checkWanted(
  backup: StoredBackup,
  source: Place,
  printed: string,
  context: Context,
): Promise<Buffer> {
  checkNotOpened(backup, source, printed, context)
  if (!isLocal(backup)) return source.readRecord(backup)
  return unlessRemoved(backup, context, async () => {
    await checkFilesOf(backup)
    return source.readRecord(backup)
  })
}

/** @throws {PgbkError} `damaged` for a backup that is no longer what was backed up. */
function checkNotOpened(
  { id, state }: StoredBackup,
  { name }: Place,
  printed: string,
  { pgbk }: Context,
): void {
  if (state === 'whole') return
  throw new PgbkError(
    'damaged',
    `backup ${id} of ${name} is ${state}: a server was started inside its snapshot`,
    { hint: `Choose another one:\n  ${pgbk(`list --from ${shellWord(printed)}`)}` },
  )
}

/**
 * The backup in this root, if it is there and whole.
 * @throws {PgbkError} `failed` when it is there but used or half, or another backup has its id.
 */
export async function findHere(
  root: RootLayout,
  wanted: StoredBackup,
  { replace }: { replace?: boolean },
): Promise<LocalBackup | undefined> {
  const directory = root.backup(wanted.id)
  if (!(await isThere(directory))) return undefined
  const { backups, rejected } = readCatalog(root.root)
  const here = backups.find(({ id }) => id === wanted.id)
  if (here && !isSameBackup(identityOf(here), identityOf(wanted))) {
    throw new PgbkError('failed', `${directory} is another backup of the same second`, {
      hint: 'Download into another directory with --to, or delete that one first.',
    })
  }
  const fault = here
    ? await faultOf(here)
    : (rejected.find(({ name }) => name === wanted.id)?.reason ?? 'not whole')
  if (fault === undefined) return here
  if (replace) return undefined
  throw new PgbkError('failed', `backup ${wanted.id} is here already, but ${fault}`, {
    hint: `Replace ${directory} with --replace: it is removed when the new one is complete.`,
  })
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error) => {
      if (systemCode(error) === 'ENOENT') return false
      throw error
    },
  )
}

async function faultOf(backup: LocalBackup): Promise<string | undefined> {
  if (backup.form === 'encrypted') return 'encrypted'
  if (backup.state === 'used') return 'used: a server was started inside its snapshot'
  try {
    await checkFilesOf(backup)
    return undefined
  } catch (error) {
    if (!(error instanceof PgbkError)) throw error
    const { reason = messageOf(error) } = error.facts
    return backup.form === 'packed' ? `incomplete: snapshot.squashfs: ${reason}` : reason
  }
}

/** Whether all files are there, with all their bytes. @throws {PgbkError} `damaged`. */
async function checkFilesOf(backup: LocalBackup): Promise<void> {
  const { packed } = backup.summary
  if (packed) imageOf(backup, packed)
  else await checkComplete({ ...backup, snapshot: plainSnapshotOf(backup).snapshot })
}

/** @throws {PgbkError} `disk-full` when what is still to come does not fit. */
export async function checkRoomForDownload(
  root: RootLayout,
  backup: StoredBackup,
  kept: number,
): Promise<void> {
  const needed = Math.max(0, backup.storedBytes - kept)
  const free = await freeBytes(root.backups)
  if (free >= needed) return
  throw new PgbkError(
    'disk-full',
    `backup ${backup.id} needs ${formatBytes(needed)} more, and ${formatBytes(free)} are free in ${root.backups}`,
    { hint: 'Make room there (pgbk list, pgbk delete), or choose another directory with --to.' },
  )
}
