import type { Catalog } from '../catalog/catalog.js'
import type { Task } from '../config/load.js'
import { chooseCompression, wantedCompression } from '../wal-receiver/choose-compression.js'
import { hasZstdProgram } from '../wal-segments/zstd.js'
import { type Check, ok, warning } from './check.js'

/** Whether finished WAL segments can be compressed with zstd, where that is wanted. */
export function checkWalCompression(
  { backups }: Pick<Catalog, 'backups'>,
  { settings, context }: Task,
): Check[] {
  const wanted = wantedCompression(settings.wal.compress)
  if (wanted?.by !== 'zstd') return []
  const name = 'WAL compression'
  const { reason } = chooseCompression(wanted, backups, context)
  if (hasZstdProgram(context.env))
    return [ok(name, reason === undefined ? 'zstd' : `gzip, and zstd later: ${reason}`)]
  return [warning(name, `${reason}: segments are compressed with gzip`, '  apt-get install zstd')]
}
