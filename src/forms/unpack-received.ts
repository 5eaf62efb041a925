import { rm, writeFile } from 'node:fs/promises'
import { type LocalBackup, layoutOf, plainSnapshotOf, unpackedRecord } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { unpackImage } from './make-image.js'

/**
 * Makes a plain backup of a packed one that lies where nobody else knows of it. Nothing is flushed, and the image goes.
 * @throws {PgbkError} as `unpackImage`.
 */
export async function unpackReceived(
  backup: LocalBackup,
  context: Pick<Context, 'env' | 'signal'>,
): Promise<void> {
  const { image, record } = layoutOf(backup)
  await unpackImage(image, plainSnapshotOf(backup).snapshot, context)
  await rm(image)
  await writeFile(record, JSON.stringify(unpackedRecord(backup)))
}
