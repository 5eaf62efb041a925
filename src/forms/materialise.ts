import { type LocalBackup, plainSnapshotOf, type ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { formatBytes } from '../text/format.js'
import { imageOf } from './check-image.js'
import { mountImage } from './mount-image.js'

/**
 * Gives a backup's snapshot as a directory: the one way by which a command comes to its files. Nothing in there is ever written. That
 * of a plain backup lies there anyway, whole or not; a packed one is mounted, where nobody else sees it, until the context comes to its
 * end.
 * @throws {PgbkError} as `imageOf` and `mountImage`.
 */
export async function materialise<B extends LocalBackup>(
  backup: B,
  context: Pick<Context, 'atEnd' | 'env' | 'signal' | 'pgbk'>,
): Promise<B & ReadableBackup> {
  const { packed } = backup.summary
  if (!packed) return { ...backup, snapshot: plainSnapshotOf(backup).snapshot }
  const image = (await backup.borrowed?.openImage?.()) ?? imageOf(backup, packed)
  const size = formatBytes(packed.snapshot_bytes)
  const unpack = `Or unpack it, for which it takes ${size} more on the disk:\n  ${context.pgbk(`unpack ${backup.id}`)}`
  const { directory, isLost, release } = await mountImage(image, context, unpack)
  context.atEnd(release)
  return { ...backup, snapshot: directory, image, isLost }
}
