import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import type { BackupLayout } from '../catalog/layout.js'
import { recordFormat } from '../catalog/record.js'
import { unlessLost } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { imageFacts, makeImage } from '../forms/make-image.js'
import { mountImage } from '../forms/mount-image.js'
import type { Verifier } from '../postgres/programs/check-backup.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { imageReadme } from '../snapshot/image-readme.js'
import { writeDurably } from '../system/files/durable.js'
import { checkCopyOfSnapshot } from './check-copy-of-snapshot.js'
import { checkRoom } from './check-room.js'
import { checkSameWal } from './check-same-wal.js'
import { estimateSaving } from './estimate-saving.js'

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
  const { shared: _with, pack_saves: _saves, ...raw } = plain.raw as Record<string, unknown>
  context.progress.step(`packing ${id}`)
  const { bytes, savedBytes } = await estimateSaving(snapshot, context)
  await checkRoom({ name: 'the image', bytes: bytes - savedBytes }, dirname(to.image), 'The snapshot')
  await makeImage(snapshot, to.image, context)
  context.progress.step(`verifying the image of ${id}`)
  const { uid, gid } = statSync(snapshotOf(plain).data)
  const mounted = await mountImage({ file: to.image, uid, gid }, context)
  context.atEnd(mounted.release)
  const checksums = pgbkFileChecksums(snapshotOf(plain))
  const copy = { ...plain, snapshot: mounted.directory }
  await unlessLost({ id, isLost: mounted.isLost }, context, () =>
    checkCopyOfSnapshot(copy, checksums, verifier, context),
  )
  if (!verifier.checksWal) await checkSameWal(plain, copy, context)
  const packed = { ...(await imageFacts(to.image, context)), snapshot_bytes: bytes, uid, gid }
  const record = { ...raw, format: recordFormat.packed, packed }
  await writeDurably(to.imageReadme, imageReadme(recordOf({ raw: record })))
  return record
}
