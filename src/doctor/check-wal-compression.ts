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
  const { compression, reason } = chooseCompression(wanted, backups, context)
  const remedy = '  apt-get install zstd'
  const name = 'WAL compression'
  if (hasZstdProgram(context.env))
    return [ok(name, reason === undefined ? 'zstd' : `gzip, and zstd later: ${reason}`)]
  const text =
    compression.form === 'zstd'
      ? 'the program zstd is not installed: segments are compressed by Node, and recovery by hand cannot read them'
      : 'zstd is not installed: segments are compressed with gzip'
  return [warning(name, text, remedy)]
}
