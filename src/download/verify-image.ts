import { rm } from 'node:fs/promises'
import { recordOf, type StoredBackup, snapshotOf } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { BackupLayout } from '../catalog/layout.js'
import { unlessLost } from '../catalog/removed-meanwhile.js'
import { type Context, withEnds } from '../context.js'
import { PgbkError } from '../errors.js'
import { type MountedImage, mountImage } from '../forms/mount-image.js'
import { checkPlainTree } from '../snapshot/check-plain-tree.js'
import { checkComplete } from '../snapshot/completeness.js'
import { toldFaults } from '../snapshot/conf/check-conf.js'
import { confFaults, notCompared } from '../snapshot/conf/conf-faults.js'

/**
 * Looks into an image that was received, whose bytes are known to be those of the record: whether it has all files, and what it would be
 * started with. Where it cannot be mounted, that is left to whoever starts it.
 * @returns what has checked it.
 * @throws {PgbkError} `damaged`: then the image is removed.
 */
export async function verifyImage(
  backup: StoredBackup,
  { image }: BackupLayout,
  { uid, gid }: PackedFacts,
  context: Context,
): Promise<string> {
  await withEnds(context, async (own) => {
    try {
      const mount = await mounted({ file: image, uid, gid }, own)
      if (!mount) return
      const { directory, isLost } = mount
      await unlessLost({ id: backup.id, isLost }, own, () => checkInside(backup, directory, own))
    } catch (error) {
      if (error instanceof PgbkError && error.code === 'damaged') await rm(image)
      throw error
    }
  })
  return 'its SHA-256'
}

async function checkInside(backup: StoredBackup, snapshot: string, context: Context): Promise<void> {
  const record = recordOf(backup)
  await checkPlainTree(snapshot, context.signal)
  await checkComplete({ id: backup.id, state: 'whole', snapshot }, context.signal)
  const faults = confFaults(record, snapshotOf({ snapshot }))
  if (faults.length > 0)
    throw new PgbkError('damaged', `what was downloaded is not what pgbk writes: ${toldFaults(faults)}`, {
      hint: 'Somebody has changed the backup at its source: do not start it there either, and choose another one.',
    })
  if (!record.own_files) context.progress.warn(`${backup.id}: ${notCompared}`)
}

async function mounted(
  image: Parameters<typeof mountImage>[0],
  context: Context,
): Promise<MountedImage | undefined> {
  try {
    const mount = await mountImage(image, context)
    context.atEnd(mount.release)
    return mount
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code === 'damaged') throw error
    context.progress.warn(`what is in the image was not looked at: ${error.message}`)
    return undefined
  }
}
