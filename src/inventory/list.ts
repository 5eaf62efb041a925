import { existsSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { sourceName } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { openSource } from '../source/open-source.js'
import { freeBytes } from '../system/files/measure.js'
import { findWindows } from '../wal-coverage/find-window.js'
import type { BackupWindow } from '../wal-coverage/window.js'

export interface ListResult extends Catalog {
  /** Bytes that are free where the backups are; undefined when there is no such directory yet, or it is another root's. */
  free: number | undefined
  /** By id; none of another root's, whose archives would have to come here to be looked at. */
  windows: ReadonlyMap<string, BackupWindow>
  /** The other root that was asked, as the user named it. */
  source: string | undefined
}

export interface ListOptions {
  /** Another root; `true` means the one of the configuration. */
  from?: string | true
}

/** All backups of the root, or of another one, newest first, and what there is beside them. */
export async function list(options: ListOptions, { settings, context }: Task): Promise<ListResult> {
  const windows = new Map<string, BackupWindow>()
  if (options.from !== undefined) {
    const source = await openSource(sourceName(options.from, settings), context)
    return { ...(await source.catalog()), windows, free: undefined, source: source.name }
  }
  const catalog = readCatalog(settings.root)
  const finder = findWindows(settings, catalog, context)
  const backups: LocalBackup[] = []
  for (const backup of catalog.backups) {
    const window = await finder.windowOf(backup)
    if (!window) continue
    windows.set(backup.id, window)
    backups.push(backup)
  }
  const free = existsSync(catalog.root) ? await freeBytes(catalog.root) : undefined
  return { ...catalog, backups, windows, free, source: undefined }
}
