import { type Backup, readCatalog } from '../backup/catalog.js'
import { selectBackup } from '../backup/select.js'
import type { BackupWindow } from '../backup/window.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { findWindows } from '../postgres/window.js'

export interface ShowResult {
  backup: Backup
  window: BackupWindow
}

/** @throws {PgbkError} `not-found`, or `usage` for a text that is no id. */
export async function show(id: string, settings: Settings, context: Context): Promise<ShowResult> {
  const backup = selectBackup(readCatalog(settings.root), id, context.progress.warn)
  return { backup, window: await findWindows(settings, context).windowOf(backup) }
}
