import { join } from 'node:path'
import type { SnapshotImage, StoredBackup } from '../catalog/backup.js'
import { backupFiles, rootLayout } from '../catalog/layout.js'
import { storeNamed } from '../catalog/source-place.js'
import { withIdentitiesIn } from '../config/identities.js'
import type { Settings, Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import type { ImageErrand } from '../remote-image/image-errand.js'
import { mountRemoteImage } from '../remote-image/mount-remote-image.js'
import { cacheDirectory } from '../system/paths/cache-directory.js'
import { formatBytes } from '../text/format.js'
import type { BorrowedRoot } from './borrowed-root.js'

interface ImageElsewhere {
  place: string
  backup: StoredBackup
  /** Whoever fetches it needs the identities of this call. */
  isEncrypted: boolean
  /** What is made of it stays: a restore. */
  lasts: boolean
  root: BorrowedRoot
  /** With the borrowed root. */
  task: Task
}

/**
 * Shows the image of a borrowed backup as a file of this machine, whose bytes are fetched as they are read, until the command is over; who
 * has it open by then goes on.
 * @throws {PgbkError} as `mountRemoteImage`; where that cannot be done here, with what can.
 */
export async function openImageElsewhere({
  place,
  backup,
  isEncrypted,
  lasts,
  root,
  task: { settings, context },
}: ImageElsewhere): Promise<SnapshotImage> {
  const { packed } = backup.summary
  if (!packed) throw new PgbkError('failed', `${backup.id} is not packed`)
  const { mounting } = imageObstacles(context)
  const instead = `Fetch all of it first, with --download: ${formatBytes(packed.bytes)} come here, and go at the end.`
  if (mounting.length > 0)
    throw new PgbkError('failed', `an image elsewhere cannot be read here: ${mounting.join('; ')}`, {
      hint: `pgbk doctor says how to make it possible. ${instead}`,
    })
  const errand: ImageErrand = {
    ...{
      place,
      stores: withoutIdentities(settings.stores),
      id: backup.id,
      bytes: packed.bytes,
      sha256: packed.sha256,
      record: backupFiles(rootLayout(root.layout.root).backup(backup.id)).record,
      isEncrypted,
      note: root.layout.fetched,
      lasts,
    },
    cache: { directory: join(cacheDirectory(context), 'blocks'), limit: bytesOf(settings.run.cache_size) },
  }
  // In its name space root's files are nobody's: a configuration would not be trusted there.
  const words = [
    'local-run',
    '--config',
    '/dev/null',
    '-C',
    root.layout.root,
    '--served',
    JSON.stringify(errand),
  ]
  const own = withIdentitiesIn(storeNamed(place, settings.stores)?.identity, context)
  const identities = isEncrypted ? await own() : undefined
  const image = await mountRemoteImage(errand, packed, { words, identities }, context)
  context.atEnd(() => image.release(!root.wasHandedOver()))
  return image
}

/** They are read here: in its name space that process could not tell whose such a file is. */
function withoutIdentities(stores: Settings['stores']): Settings['stores'] {
  return Object.fromEntries(
    Object.entries(stores).map(([name, { identity: _read, ...store }]) => [name, store]),
  )
}

/** Of a size in the configuration: `500 MB`. */
function bytesOf(size: string): number {
  const [, count = '0', unit] = /^(\d+) ?([MG])B$/.exec(size) ?? []
  return Number(count) * (unit === 'G' ? 1e9 : 1e6)
}
