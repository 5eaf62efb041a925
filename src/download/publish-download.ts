import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readHold, writeHold } from '../catalog/hold.js'
import { type BackupLayout, backupLayout, type RootLayout } from '../catalog/layout.js'
import { discard } from '../catalog/partial.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import type { HeldLock } from '../system/files/lock.js'

interface CompleteDownload {
  id: string
  /** Of the download's directory. */
  layout: BackupLayout
  /** The bytes of backup.json. */
  record: Buffer
}

/**
 * Turns a complete download, whose files are on disk already, into a listed backup: the record, then one rename. What was in its
 * place is moved aside before, marked as a removal, and goes afterwards; that somebody holds it goes on. Only under the catalog
 * lock.
 * @param last what has to be done when nobody takes the old one for a backup any more, before it goes. Where that fails, it stays.
 */
export async function publishDownload(
  root: RootLayout,
  { id, layout: download, record }: CompleteDownload,
  lock: HeldLock,
  last: () => Promise<void> = async () => {},
): Promise<BackupLayout> {
  const published = backupLayout(root.backup(id))
  await writeDurably(download.record, record)
  // Both are of the place, not of the backup: none that lies there from before counts.
  for (const note of [download.hold, download.proof]) await rm(note, { force: true, recursive: true })
  const hold = readHold(published.hold)
  if (hold) await writeHold(download, hold)
  await syncPath(download.directory)
  await lock.check()
  if (existsSync(published.directory)) await withoutRecord(published, last)
  // Not between the next steps: what is moved aside would be lost.
  await lock.check()
  const replaced = existsSync(published.directory) ? await retireBackup(root, id, published) : undefined
  await rename(download.directory, published.directory)
  await syncPath(root.backups)
  await rm(published.downloadMarker, { force: true })
  await rm(published.downloadLock, { force: true })
  if (replaced) await discard(replaced)
  return published
}

/** The record of a backup that is being replaced: the backup is none meanwhile, and after a kill nothing of it is thrown away. */
const restingRecord = ({ directory }: BackupLayout) => join(directory, '.pgbk-replaced.json')

async function withoutRecord(old: BackupLayout, work: () => Promise<void>): Promise<void> {
  const resting = restingRecord(old)
  if (existsSync(old.record)) await rename(old.record, resting)
  try {
    await work()
  } catch (error) {
    if (existsSync(resting)) await rename(resting, old.record)
    throw error
  }
}

/** From its first step on the old one is not a backup but something to throw away, whatever happens. */
async function retireBackup(root: RootLayout, id: string, old: BackupLayout): Promise<BackupLayout> {
  const aside = backupLayout(join(root.backups, `.${id}.replaced.partial`))
  if (existsSync(aside.directory)) await discard(aside)
  const resting = restingRecord(old)
  if (existsSync(resting)) await rename(resting, old.marker)
  else await writeDurably(old.marker, '{}\n')
  await syncPath(old.directory)
  await rename(old.directory, aside.directory)
  await syncPath(root.backups)
  return aside
}
