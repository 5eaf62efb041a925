import type { Catalog } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { probeWorkingCopy } from '../run/probe-working-copy.js'
import { type Check, ok, skipped, warning } from './check.js'

/** How a run would keep the newest backup as it is, and why not in a better way. */
export async function checkWorkingCopy({ root, backups }: Catalog, context: Context): Promise<Check> {
  const newest = backups.find(({ state }) => state === 'whole')
  if (!newest) return skipped('working copy', 'can be tried when there is a backup')
  try {
    const { kind, obstacles } = await probeWorkingCopy(newest, root, context)
    if (kind === 'overlay') return ok('working copy', 'overlay: runs start at once, and copy nothing')
    const text = `${kind}, because there is ${obstacles.join('; ')}`
    if (kind === 'reflink') return ok('working copy', text)
    return warning('working copy', `full ${text}`, remedyFor(obstacles.join('; ')))
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return warning('working copy', error.message, error.hint ?? null)
  }
}

/** Which setting forbids user namespaces depends on the distribution; root needs none. */
function remedyFor(obstacles: string): string | null {
  if (!/user namespaces are forbidden/.test(obstacles)) return null
  return [
    'Run pgbk local-run as root, or allow user namespaces, as root, with the one that this system has:',
    '  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    # Ubuntu',
    '  sysctl -w kernel.unprivileged_userns_clone=1                # Debian',
    '  sysctl -w user.max_user_namespaces=10000                    # RHEL',
  ].join('\n')
}
