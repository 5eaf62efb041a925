import { accessSync, constants, lstatSync } from 'node:fs'
import { type LocalBackup, layoutOf, storedBackup } from '../catalog/backup.js'
import { type Catalog, isClosed, isOwn, readCatalog, stateOf } from '../catalog/catalog.js'
import { clusterOf } from '../catalog/check-cluster.js'
import { isId } from '../catalog/id.js'
import { backupLayout, type RootLayout } from '../catalog/layout.js'
import { readRecord } from '../catalog/record.js'
import { PgbkError, systemCode } from '../errors.js'
import { namesIn } from '../system/paths/names-in.js'

/** Backups of other clusters, for example, are passed over. */
type Accepts = (backup: LocalBackup) => boolean

/** The newest whole backup, without reading the records of all the others. */
export function newestBackup(root: RootLayout, accepts: Accepts): LocalBackup | undefined {
  return firstOf(root, idsIn(root).reverse(), accepts)
}

/** The oldest one; only backups whose records have to be read for that are read. */
export function oldestBackup(root: RootLayout, accepts: Accepts): LocalBackup | undefined {
  return firstOf(root, idsIn(root), accepts)
}

/** As much of the catalogue as it takes to know whose backups these are: all of it only where no whole one tells. */
export function newestOnly(root: RootLayout): Catalog {
  const newest = newestBackup(root, (backup) => clusterOf(backup) !== undefined)
  return newest ? { root: root.root, backups: [newest], rejected: [] } : readCatalog(root.root)
}

/** The next whole backup after this one: a receiver asks every second. */
export function backupAfter(root: RootLayout, id: string, accepts: Accepts): LocalBackup | undefined {
  const later = idsIn(root).filter((one) => one > id)
  return firstOf(root, later, accepts)
}

/** The whole backup before this one. */
export function backupBefore(root: RootLayout, id: string, accepts: Accepts): LocalBackup | undefined {
  const earlier = idsIn(root).filter((one) => one < id)
  return firstOf(root, earlier.reverse(), accepts)
}

function firstOf(root: RootLayout, ids: string[], accepts: Accepts): LocalBackup | undefined {
  for (const id of ids) {
    const backup = backupAt(root, id)
    // WAL that lies in clear beside what is encrypted nobody looks for.
    const takesWal = backup?.state === 'whole' && backup.form !== 'encrypted'
    if (takesWal && accepts(backup)) return backup
  }
  return undefined
}

function idsIn({ backups }: RootLayout): string[] {
  return namesIn(backups).filter(isId).sort()
}

/** A backup by its id; undefined when there is none, or it is being deleted or cannot be read. */
export function backupAt(root: RootLayout, id: string): LocalBackup | undefined {
  const directory = root.backup(id)
  try {
    const record = readRecord(`${directory}/backup.json`)
    return { ...storedBackup(record, stateOf(directory, record)), directory }
  } catch (error) {
    if (error instanceof PgbkError || ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? ''))
      return undefined
    if (isClosed(error) && isOwn(directory)) return undefined
    throw error
  }
}

/** The archive of the backup before this one, whose last raw segments may still have to be compressed. */
export function previousArchives(root: RootLayout, { id }: LocalBackup): string[] {
  const last = idsIn(root).findLast((one) => one < id)
  return last === undefined ? [] : [backupLayout(root.backup(last)).wal]
}

/** Backups of a cluster that can be received for: one whose record has faults is of no cluster. */
export function isOfCluster(system_identifier: string): (backup: LocalBackup) => boolean {
  return (backup) => clusterOf(backup) === system_identifier && hasArchive(backup)
}

/** Whether the archive, if it is there, is a directory that can be received into. */
function hasArchive(backup: LocalBackup): boolean {
  const { wal } = layoutOf(backup)
  const found = lstatSync(wal, { throwIfNoEntry: false })
  if (!found) return true
  try {
    accessSync(wal, constants.R_OK | constants.W_OK | constants.X_OK)
    return found.isDirectory()
  } catch {
    return false
  }
}
