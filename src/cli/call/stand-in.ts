import { parseSource, sourceName } from '../../catalog/source-place.js'
import type { Settings } from '../../config/load.js'
import type { Context } from '../../context.js'
import type { StandIn } from '../../privileges/drop-privileges.js'

/** Whom root reads a SOURCE as: the owner of one that is here; for one behind ssh or in S3, the user `run_as`, with that user's keys. */
export function standInFor(
  from: string | true | undefined,
  settings: Settings,
  { cwd }: Context,
  fallback?: string,
): StandIn {
  const place = parseSource(sourceName(from, settings, fallback), cwd, settings.stores)
  return place.kind === 'directory' ? { as: 'owner', root: place.directory } : { as: 'run_as' }
}
