import { existsSync } from 'node:fs'
import { type Catalog, readCatalog } from '../backup/catalog.js'
import { freeBytes } from '../backup/measure.js'
import type { BackupWindow } from '../backup/window.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { findWindows } from '../postgres/window.js'

export interface ListResult extends Catalog {
  /** Bytes that are free where the backups are; undefined when there is no such directory yet. */
  free: number | undefined
  /** By id. */
  windows: ReadonlyMap<string, BackupWindow>
}

/** All backups of the root, newest first, and what there is beside them. */
export async function list(settings: Settings, context: Context): Promise<ListResult> {
  const catalog = readCatalog(settings.root)
  const windows = new Map<string, BackupWindow>()
  const finder = findWindows(settings, context)
  for (const backup of catalog.backups) windows.set(backup.id, await finder.windowOf(backup))
  return { ...catalog, windows, free: existsSync(catalog.root) ? await freeBytes(catalog.root) : undefined }
}
