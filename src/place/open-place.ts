import { parseSource } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import type { Place } from './contract/place.js'

/** How a place is opened. */
export interface OpenedFor {
  /** It will be asked many times for a little: one connection is kept for all of that. */
  isHeld?: boolean
}

/**
 * What a source needs is loaded when there is one: most lists are of the root itself.
 * @throws {PgbkError} `usage` for a text that is not a SOURCE, and as `existingPlace`.
 */
export async function openPlace(
  text: string,
  context: Context,
  { isHeld = false }: OpenedFor = {},
): Promise<Place> {
  const place = parseSource(text, context.cwd)
  if (place.kind === 'ssh') {
    const { sshPlace } = await import('./ssh/ssh-place.js')
    const shared = isHeld ? (await import('./ssh/shared-connection.js')).sharedConnection(context) : []
    return sshPlace(text, place.host, place.directory, context, shared)
  }
  const { existingPlace } = await import('./local-place.js')
  return existingPlace(text, place.directory, context)
}
