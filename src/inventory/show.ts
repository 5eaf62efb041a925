import type { StoredBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import { selectBackup } from '../catalog/select.js'
import { resolveSource, sourceName } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { withWholeRecord } from '../place/encrypted/whole-record.js'
import { openPlace } from '../place/open-place.js'
import { findWindows } from '../wal-coverage/find-window.js'
import type { BackupWindow } from '../wal-coverage/window.js'

export interface ShowOptions {
  /** Another root; `true` means the one of the configuration. */
  from?: string | true
}

export interface ShowResult {
  backup: StoredBackup
  /** Where it is, for a person. */
  location: string
  /** Undefined for one of another root. */
  window: BackupWindow | undefined
  /** The other root that was asked. */
  source: string | undefined
}

/** @throws {PgbkError} `not-found`, or `usage` for a text that is not an id. */
export async function show(
  id: string,
  options: ShowOptions,
  { settings, context }: Task,
): Promise<ShowResult> {
  if (options.from === undefined) {
    const catalog = readCatalog(settings.root)
    const backup = selectBackup(catalog, id, context)
    const window = await findWindows(settings, catalog, context).windowOf(backup)
    checkStillThere(backup)
    return { backup, location: backup.directory, window, source: undefined }
  }
  const name = sourceName(options.from, settings)
  const source = await openPlace(name, context, settings)
  const printed = resolveSource(name, context.cwd, settings.stores)
  const listed = selectBackup(await source.list(), id, context, printed)
  const backup = await withWholeRecord(source, listed)
  const location = source.locationOf(backup.id)
  return { backup, location, window: undefined, source: printed }
}
