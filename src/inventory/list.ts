import { existsSync } from 'node:fs'
import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import { sourceName } from '../catalog/source-place.js'
import type { Settings, Task } from '../config/load.js'
import { type PlainTotal, plainTotal } from '../packing/plain-total.js'
import { openPlace } from '../place/open-place.js'
import { freeBytes } from '../system/files/measure.js'
import { findWindows } from '../wal-coverage/find-window.js'
import type { BackupWindow } from '../wal-coverage/window.js'

export interface ListResult extends Catalog<StoredBackup> {
  /** Where a backup is, for a person. */
  locationOf(id: string): string
  /** Bytes that are free where the backups are; undefined when there is no such directory yet, or it is another root's. */
  free: number | undefined
  /** By id; none of another root's, whose archives would have to come here to be looked at. */
  windows: ReadonlyMap<string, BackupWindow>
  /** The other root that was asked, as the user named it. */
  source: string | undefined
  /** What the plain ones take, where they are many and nothing is to pack them. */
  plain?: PlainTotal | undefined
}

export interface ListOptions {
  /** Another root; `true` means the one of the configuration. */
  from?: string | true
}

/** All backups of the root, or of another one, newest first, and what there is beside them. */
export async function list(options: ListOptions, { settings, context }: Task): Promise<ListResult> {
  const windows = new Map<string, BackupWindow>()
  if (options.from !== undefined) {
    const source = await openPlace(sourceName(options.from, settings), context, settings)
    const { locationOf } = source
    return { ...(await source.list()), locationOf, windows, free: undefined, source: source.name }
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
  const { backup: locationOf } = rootLayout(settings.root)
  return {
    ...catalog,
    backups,
    locationOf,
    windows,
    free,
    source: undefined,
    plain: plainOf(backups, settings),
  }
}

function plainOf(backups: readonly StoredBackup[], { create, retention }: Settings): PlainTotal | undefined {
  return create.form === 'packed' || retention?.pack_after !== undefined ? undefined : plainTotal(backups)
}
