import type { LocalBackup, StoredBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Place } from '../place/contract/place.js'
import { makeBorrowedRoot } from './borrowed-root.js'
import { fetchRecordAndWal } from './fetch-wal.js'

/**
 * Brings the WAL archive of a backup elsewhere here, until the command is over.
 * @throws {PgbkError} as `fetchRecordAndWal`.
 */
export async function borrowWal(
  place: Place,
  wanted: StoredBackup,
  context: Context,
): Promise<{ backup: LocalBackup; catalog: Catalog }> {
  const root = await makeBorrowedRoot(context)
  await fetchRecordAndWal(place, wanted, root, { withWal: true }, context)
  const catalog = readCatalog(root.layout.root)
  const backup = catalog.backups.find(({ id }) => id === wanted.id)
  if (backup) return { backup, catalog }
  throw new PgbkError('damaged', `the record of ${wanted.id} in ${place.name} cannot be used`)
}
