import { existsSync } from 'node:fs'
import { type Catalog, readCatalog } from '../backup/catalog.js'
import { freeBytes } from '../backup/measure.js'
import type { Settings } from '../config/load.js'

export interface ListResult extends Catalog {
  /** Bytes that are free where the backups are; undefined when there is no such directory yet. */
  free: number | undefined
}

/** All backups of the root, newest first, and what there is beside them. */
export async function list(settings: Settings): Promise<ListResult> {
  const catalog = readCatalog(settings.root)
  return { ...catalog, free: existsSync(catalog.root) ? await freeBytes(catalog.root) : undefined }
}
