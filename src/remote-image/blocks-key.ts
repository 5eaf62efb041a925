import { createHash } from 'node:crypto'
import { parseSource, storeNamed } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import type { ImageErrand, WantedImage } from './image-errand.js'

/**
 * What the blocks of an image are kept by. Those of another place are others: nothing compares a block with the image's SHA-256, so what one
 * place says must not be taken for what another does, nor what came in clear for what was decrypted.
 */
export function blocksKey(
  { place, stores }: Pick<ImageErrand, 'place' | 'stores'>,
  { id, sha256, identities }: Pick<WantedImage, 'id' | 'sha256' | 'identities'>,
  { cwd, env }: Pick<Context, 'cwd' | 'env'>,
): string {
  const { endpoint } = storeNamed(place, stores) ?? {}
  const server = endpoint ?? (env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || null)
  const all = [parseSource(place, cwd, stores), server, identities !== undefined, sha256]
  return `${id}-${createHash('sha256').update(JSON.stringify(all)).digest('hex')}`
}
