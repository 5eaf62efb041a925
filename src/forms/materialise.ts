import { type LocalBackup, plainSnapshotOf, type ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'

/**
 * Gives a backup's snapshot as a directory: the one way by which a command comes to its files. Nothing in there is ever written. That
 * of a plain backup lies there anyway, whole or not. It is there until the context comes to its end.
 */
export async function materialise<B extends LocalBackup>(
  backup: B,
  _context: Pick<Context, 'atEnd'>,
): Promise<B & ReadableBackup> {
  return { ...backup, snapshot: plainSnapshotOf(backup).snapshot }
}
