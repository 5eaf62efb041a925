import { type Backup, readCatalog } from '../backup/catalog.js'
import { selectBackup } from '../backup/select.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'

/** @throws {PgbkError} `not-found`, or `usage` for a text that is no id. */
export async function show(id: string, settings: Settings, { progress }: Context): Promise<Backup> {
  return selectBackup(readCatalog(settings.root), id, progress.warn)
}
