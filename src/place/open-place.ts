import { parseSource } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import type { Source } from './contract/place.js'

/**
 * What a source needs is loaded when there is one: most lists are of the root itself.
 * @throws {PgbkError} `usage` for a text that is not a SOURCE, and as `directorySource`.
 */
export async function openSource(text: string, context: Context): Promise<Source> {
  const place = parseSource(text, context.cwd)
  if (place.kind === 'ssh') {
    const { sshSource } = await import('./ssh/ssh-place.js')
    return sshSource(text, place.host, place.directory, context)
  }
  const { directorySource } = await import('./directory-place.js')
  return directorySource(text, place.directory, context)
}
