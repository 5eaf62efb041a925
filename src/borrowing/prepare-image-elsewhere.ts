import { join } from 'node:path'
import type { SnapshotImage, StoredBackup } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import { backupFiles, rootLayout } from '../catalog/layout.js'
import { storeNamed } from '../catalog/source-place.js'
import { withIdentitiesIn } from '../config/identities.js'
import type { Settings, Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import type { ImageErrand } from '../remote-image/image-errand.js'
import { prepareRemoteImage } from '../remote-image/prepare-remote-image.js'
import { cacheDirectory } from '../system/paths/cache-directory.js'
import { formatBytes } from '../text/format.js'
import type { BorrowedRoot } from './borrowed-root.js'

interface ImageElsewhere {
  place: string
  /** What is made of it stays: a restore. */
  lasts: boolean
  root: BorrowedRoot
  /** With the borrowed root. */
  task: Task
}

/**
 * Shows the image of a borrowed backup as a file of this machine, whose bytes are fetched as they are read, until the command is over; who
 * has it open by then goes on.
 * @param isEncrypted whoever fetches it needs the identities of this call.
 * @throws {PgbkError} as `PreparedImage.mount`; where that cannot be done here, with what can.
 */
export type OpenImageElsewhere = (backup: StoredBackup, isEncrypted: boolean) => Promise<SnapshotImage>

/** Starts what will fetch an image that will be opened, if it can be done here. */
export function prepareImageElsewhere({
  place,
  lasts,
  root,
  task: { settings, context },
}: ImageElsewhere): OpenImageElsewhere {
  const { mounting } = imageObstacles(context)
  if (mounting.length > 0) return (backup) => Promise.reject(notReadable(backup, mounting))
  const errand: ImageErrand = {
    place,
    stores: withoutIdentities(settings.stores),
    note: root.layout.fetched,
    cache: { directory: join(cacheDirectory(context), 'blocks'), limit: bytesOf(settings.run.cache_size) },
    lasts,
  }
  // In its name space root's files are nobody's: a configuration would not be trusted there.
  const configuration = ['--config', '/dev/null', '-C', root.layout.root]
  const words = ['local-run', ...configuration, '--served', JSON.stringify(errand)]
  const prepared = prepareRemoteImage(errand, words, context)
  context.atEnd(() => prepared.end(!root.wasHandedOver()))
  return async (backup, isEncrypted) => {
    const { bytes, sha256, ...owner } = imageIn(backup)
    const own = withIdentitiesIn(storeNamed(place, settings.stores)?.identity, context)
    const identities = isEncrypted ? await own() : undefined
    const { record } = backupFiles(rootLayout(root.layout.root).backup(backup.id))
    return prepared.mount({ id: backup.id, bytes, sha256, record, identities }, owner)
  }
}

function imageIn({ id, summary }: StoredBackup): PackedFacts {
  if (summary.packed) return summary.packed
  throw new PgbkError('failed', `${id} is not packed`)
}

function notReadable(backup: StoredBackup, obstacles: string[]): PgbkError {
  const size = formatBytes(imageIn(backup).bytes)
  return new PgbkError('failed', `an image elsewhere cannot be read here: ${obstacles.join('; ')}`, {
    hint: `pgbk doctor says how to make it possible. Fetch all of it first, with --download: ${size} come here, and go at the end.`,
  })
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
