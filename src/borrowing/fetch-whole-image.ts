import { type StoredBackup, storedBackup } from '../catalog/backup.js'
import { rootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkImageIs } from '../forms/check-image.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import { unpackReceived } from '../forms/unpack-received.js'
import { openFileWriter } from '../place/contract/file-writer.js'
import { imageName } from '../place/contract/names.js'
import type { Place } from '../place/contract/place.js'
import { imageOfBackup } from '../remote-image/image-in-order.js'
import type { BorrowedRoot } from './borrowed-root.js'
import { checkCacheRoom } from './cache-room.js'

/**
 * Brings the whole image of a borrowed backup here, whose record is here already; where images cannot be mounted, it is unpacked.
 * @returns the bytes that have come.
 * @throws {PgbkError} `disk-full`; `damaged` when it is not the image that the record tells of; as `Place.read`.
 */
export async function fetchWholeImage(
  place: Place,
  backup: StoredBackup,
  { layout }: BorrowedRoot,
  context: Context,
): Promise<number> {
  const { packed } = backup.summary
  if (!packed) throw new PgbkError('failed', `${backup.id} is not packed`)
  const { mounting } = imageObstacles(context)
  const mustUnpack = mounting.length > 0
  await checkCacheRoom(layout.root, packed.bytes + (mustUnpack ? packed.snapshot_bytes : 0), backup.id)
  const directory = rootLayout(layout.root).backup(backup.id)
  let received = 0
  const onBytes = (bytes: number) => {
    received += bytes
    context.progress.bytes(received, packed.bytes)
  }
  const writer = openFileWriter(directory, onBytes, () => packed.bytes)
  context.progress.step('fetching the image')
  const file = writer.begin(imageName, context.now())
  let isWhole = false
  try {
    const image = imageOfBackup(place, backup, { bytes: packed.bytes, from: 0 }, context)
    for await (const piece of image) {
      context.signal.throwIfAborted()
      file.write(piece)
    }
    isWhole = true
    file.finish()
  } finally {
    if (!isWhole) file.abandon()
  }
  await writer.flushed()
  const here = { ...storedBackup({ summary: backup.summary, raw: backup.raw }, 'whole'), directory }
  await checkImageIs(here, context)
  if (!mustUnpack) return received
  context.progress.say(`It is unpacked, because images cannot be mounted here: ${mounting.join('; ')}`)
  context.progress.step('unpacking')
  await unpackReceived(here, context)
  return received
}
