import { parseSource, sourceName } from '../../catalog/source-place.js'
import type { Settings } from '../../config/load.js'
import type { Context } from '../../context.js'
import type { StandIn } from '../../privileges/drop-privileges.js'

/** Whom root reads a SOURCE as: the owner of one that is here; for one behind ssh, the user `run_as`, with that user's keys. */
export function standInFor(
  from: string | true | undefined,
  settings: Settings,
  { cwd }: Context,
  fallback?: string,
): StandIn {
  const place = parseSource(sourceName(from, settings, fallback), cwd)
  return place.kind === 'ssh' ? { as: 'run_as' } : { as: 'owner', root: place.directory }
}
