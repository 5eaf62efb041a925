import { mkdir, readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { type BackupForm, recordOf, type StoredBackup } from '../catalog/backup.js'
import { type BackupLayout, backupLayout, type RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError, systemCode } from '../errors.js'
import { v } from '../schema.js'
import { withLock } from '../system/files/lock.js'
import { markDirectory, removeMarked } from '../system/files/marked-directory.js'
import { readNote } from '../system/files/read-note.js'
import { removeContents } from '../system/files/remove-tree.js'

/** A download in progress: what has come is kept until it is complete. */
export interface DownloadDirectory {
  layout: BackupLayout
  /** Whether there may be files of the same backup from before. */
  isResumed: boolean
}

/** Whose files the directory has. The source is for people: the same backup may come from another place. */
interface DownloadMarker {
  made_by: 'download'
  source: string
  backup: BackupIdentity
  /** Of that source's: the files of one are none of the other. */
  form: BackupForm
}

const text = v.string()
const markerSchema: v.GenericSchema<unknown, DownloadMarker> = v.object({
  made_by: v.literal('download'),
  source: text,
  backup: v.object({ id: text, system_identifier: text, started_at: text, start_lsn: text, stop_lsn: text }),
  form: v.optional(v.picklist(['plain', 'packed']), 'plain'),
})

/** What two backups of the same id differ in. */
interface BackupIdentity {
  id: string
  system_identifier: string
  started_at: string
  start_lsn: string
  stop_lsn: string
}

export function identityOf(backup: StoredBackup): BackupIdentity {
  const { id, server, started_at, start_lsn, stop_lsn } =
    backup.form === 'encrypted' ? backup.summary : recordOf(backup)
  return { id, system_identifier: server.system_identifier ?? '', started_at, start_lsn, stop_lsn }
}

export function isSameBackup(one: BackupIdentity, other: BackupIdentity): boolean {
  return (Object.keys(one) as (keyof BackupIdentity)[]).every((key) => one[key] === other[key])
}

/**
 * Works in the download directory of a backup: a new one, or one that an earlier download of the same backup has left. Whatever
 * else was in it goes first.
 * @throws {PgbkError} `locked` when another download works there, `failed` when it is not pgbk's.
 */
export async function withDownloadDirectory<T>(
  root: RootLayout,
  { backup, source }: { backup: StoredBackup; source: string },
  context: Context,
  work: (download: DownloadDirectory, guarded: Context) => Promise<T>,
): Promise<T> {
  const layout = backupLayout(root.download(backup.id))
  await makeDirectory(layout.directory)
  const purpose = `download of ${backup.id}`
  return withLock(layout.downloadLock, { purpose }, context, async (guarded) => {
    const marker = { made_by: 'download', source, backup: identityOf(backup), form: backup.form } as const
    const isResumed = await takeOver(layout, marker, guarded)
    return work({ layout, isResumed }, guarded)
  })
}

/** Removes a download directory in which nothing was received. */
export async function removeDownload({ downloadMarker }: BackupLayout): Promise<void> {
  await removeMarked(downloadMarker)
}

/** Makes the directory a download of this backup; returns whether it was one before. */
async function takeOver(
  layout: BackupLayout,
  marker: DownloadMarker,
  { progress }: Context,
): Promise<boolean> {
  const { backup, form } = marker
  const before = await readMarker(layout)
  const isSame = before !== undefined && isSameBackup(backup, before.backup)
  if (isSame && before.form === form) return true
  const kept = [basename(layout.downloadLock), basename(layout.downloadMarker)]
  if (before) {
    const other = isSame ? `${backup.id} in its other form` : `another backup ${backup.id}`
    progress.say(`removing what an earlier download of ${other} has left`)
    await removeContents(layout.directory, kept)
  }
  await markDirectory(layout.downloadMarker, marker)
  return false
}

/** @throws {PgbkError} `failed` for a directory with files in it and without a marker. */
async function readMarker(layout: BackupLayout): Promise<DownloadMarker | undefined> {
  const marker = readNote(markerSchema, layout.downloadMarker)
  if (marker) return marker
  // Killed before the marker was there: nothing else is.
  const own = [basename(layout.downloadLock), basename(layout.downloadMarker)]
  if ((await readdir(layout.directory)).every((name) => own.includes(name))) return undefined
  throw new PgbkError('failed', `${layout.directory} is in the way: nothing in it shows that pgbk made it`, {
    hint: 'Find out what it is, and move it away.',
  })
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}
