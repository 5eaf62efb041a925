import type { Catalog } from '../catalog/catalog.js'
import type { Context } from '../context.js'
import { imageObstacles } from '../forms/image-obstacles.js'
import { type Check, ok, skipped, warning } from './check.js'

/** What packed backups need of this machine, and what is not possible without it; a fault only where there are some. */
export async function checkPacking({ backups }: Pick<Catalog, 'backups'>, context: Context): Promise<Check> {
  const { making, mounting } = await imageObstacles(context)
  const missing = [
    ...(making.length > 0 ? [`${making.join(', ')}: pack and unpack are not possible`] : []),
    ...(mounting.length > 0 ? [`${mounting.join(', ')}: packed backups cannot be opened as they are`] : []),
  ]
  if (missing.length === 0) return ok('packed backups', 'can be made, and opened as they are')
  const text = missing.join('; ')
  if (!backups.some(({ form }) => form === 'packed')) return skipped('packed backups', text)
  return warning('packed backups', text, remedy)
}

const remedy = '  apt-get install squashfs-tools squashfuse\n  modprobe fuse; chmod 666 /dev/fuse'
