import { join } from 'node:path'
import type { ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { unpackImage } from '../forms/make-image.js'
import { checkSameWal } from './check-same-wal.js'

/**
 * Compares the WAL of an unpacked snapshot with that of its image, which is unpacked once more for that.
 * @param aside a directory to throw away. @throws {PgbkError} as `unpackImage` and `checkSameWal`.
 */
export async function checkUnpackedWal(
  image: string,
  copy: ReadableBackup,
  aside: string,
  context: Pick<Context, 'env' | 'signal'>,
): Promise<void> {
  const snapshot = join(aside, 'again')
  await unpackImage(image, snapshot, context, 'data/pg_wal')
  await checkSameWal({ ...copy, snapshot }, copy, context)
}
