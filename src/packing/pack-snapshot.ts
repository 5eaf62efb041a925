import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { makeImage } from '../forms/make-image.js'
import type { Verifier } from '../postgres/programs/check-backup.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { checkCopyOfSnapshot } from './check-copy-of-snapshot.js'
import { checkRoom } from './check-room.js'
import { checkSameWal } from './check-same-wal.js'
import { estimateSaving } from './estimate-saving.js'
import { recordImage } from './record-image.js'

/**
 * Makes the packed form of a snapshot: the image, which is read in full before this returns, and its README, both on disk. The directory
 * stays as it is.
 * @param context the image is mounted until that comes to its end.
 * @returns the record with it.
 * @throws {PgbkError} `programs-missing`, `disk-full`, `damaged` or `failed`.
 */
export async function packSnapshot(
  plain: ReadableBackup,
  to: Pick<BackupLayout, 'image' | 'imageReadme'>,
  verifier: Verifier,
  context: Context,
): Promise<object> {
  const { id, snapshot } = plain
  context.progress.step(`packing ${id}`)
  const { bytes, savedBytes } = await estimateSaving(snapshot, context)
  await checkRoom({ name: 'the image', bytes: bytes - savedBytes }, dirname(to.image), 'The snapshot')
  await makeImage(snapshot, to.image, context)
  context.progress.step(`verifying the image of ${id}`)
  const { uid, gid } = statSync(snapshotOf(plain).data)
  const facts = { snapshot_bytes: bytes, uid, gid }
  return recordImage(plain, { ...to, facts }, (copy) => checkPacked(plain, copy, verifier, context), context)
}

/**
 * Makes sure that an image is what it was made of, and of a whole snapshot.
 * @param from has pgbk's own files and the WAL, as they should be in the image. @throws {PgbkError} `damaged`.
 */
export async function checkPacked(
  from: ReadableBackup,
  copy: ReadableBackup,
  verifier: Verifier,
  context: Context,
): Promise<void> {
  await checkCopyOfSnapshot(copy, pgbkFileChecksums(snapshotOf(from)), verifier, context)
  if (!verifier.checksWal) await checkSameWal(from, copy, context)
}
