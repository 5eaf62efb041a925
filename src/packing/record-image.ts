import { type ReadableBackup, recordOf, recordToPack } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { BackupLayout } from '../catalog/layout.js'
import { recordFormat } from '../catalog/record.js'
import { unlessLost } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { imageFacts } from '../forms/make-image.js'
import { mountImage } from '../forms/mount-image.js'
import { imageReadme } from '../snapshot/image-readme.js'
import { syncPath, writeDurably } from '../system/files/durable.js'
import { allOf } from '../system/files/in-parallel.js'

/** A new image, where its README goes, and what it was made of. */
interface NewImage extends Pick<BackupLayout, 'image' | 'imageReadme'> {
  facts: Pick<PackedFacts, 'snapshot_bytes' | 'uid' | 'gid'>
}

/**
 * Has a new image checked, and writes its README; both are on disk then.
 * @param plain the backup as it would be without an image. @param check gets the backup with the image's files, and throws.
 * @param context the image is mounted until that comes to its end.
 * @returns the record with the image.
 */
export async function recordImage(
  plain: ReadableBackup,
  { image, imageReadme: readme, facts }: NewImage,
  check: (copy: ReadableBackup) => Promise<void>,
  context: Context,
): Promise<object> {
  const { id } = plain
  const { uid, gid } = facts
  const mounted = await mountImage({ file: image, uid, gid }, context)
  context.atEnd(mounted.release)
  // It is in memory now: what follows reads it from there, and its bytes go to disk meanwhile.
  const [read] = await allOf([
    imageFacts(image, context),
    unlessLost({ id, isLost: mounted.isLost }, context, () =>
      check({ ...plain, snapshot: mounted.directory }),
    ),
    syncPath(image),
  ])
  const record = { ...recordToPack(plain), format: recordFormat.packed, packed: { ...read, ...facts } }
  await writeDurably(readme, imageReadme(recordOf({ raw: record })))
  return record
}
