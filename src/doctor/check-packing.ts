import { plainSnapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import type { Task } from '../config/load.js'
import { messageOf } from '../errors.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import { estimateSaving } from '../packing/estimate-saving.js'
import { isPlainAlone, type PlainTotal, plainTotal } from '../packing/plain-total.js'
import { formatBytes } from '../text/format.js'
import { advice, type Check, ok, skipped, warning } from './check.js'

/**
 * What packed backups need of this machine, and what is not possible without it, a fault only where there are some; and what many plain
 * ones would take packed.
 */
export async function checkPacking(catalog: Catalog, task: Task): Promise<Check[]> {
  const { making, mounting } = imageObstacles(task.context)
  const missing = [
    ...(making.length > 0 ? [`${making.join(', ')}: pack and unpack are not possible`] : []),
    ...(mounting.length > 0 ? [`${mounting.join(', ')}: packed backups cannot be opened as they are`] : []),
  ]
  const name = 'packed backups'
  const text = missing.join('; ')
  const isNeeded = catalog.backups.some(({ form }) => form === 'packed')
  const own =
    missing.length === 0
      ? ok(name, 'can be made, and opened as they are')
      : isNeeded
        ? warning(name, text, remedy)
        : skipped(name, text)
  return [own, ...(await advisePacking(catalog, task))]
}

const remedy = '  apt-get install squashfs-tools squashfuse\n  modprobe fuse; chmod 666 /dev/fuse'

/** The newest one stands for all of them: some of its blocks are compressed. */
async function advisePacking({ backups }: Catalog, { settings, context }: Task): Promise<Check[]> {
  const [newest] = backups.filter(isPlainAlone)
  if (!newest || !plainTotal(backups)) return []
  try {
    const { savedBytes } = await estimateSaving(plainSnapshotOf(newest).snapshot, context)
    const total = plainTotal(backups, savedBytes / newest.storedBytes)
    if (!total) return []
    const isPlanned = settings.create.form === 'packed' || settings.retention?.pack_after !== undefined
    return [isPlanned ? ok('plain backups', told(total)) : advice('plain backups', told(total), howToPack)]
  } catch (error) {
    context.signal.throwIfAborted()
    return [skipped('plain backups', messageOf(error))]
  }
}

function told({ count, bytes, packedBytes = bytes }: PlainTotal): string {
  return `${count} take ${formatBytes(bytes)}; packed they would take about ${formatBytes(packedBytes)}`
}

const howToPack =
  'For prune to pack older ones, in the configuration (pgbk schedule --packed makes new ones so):\n  retention: { pack_after: 2 days }'
