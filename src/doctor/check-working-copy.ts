import type { Catalog } from '../catalog/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { materialise } from '../forms/materialise.js'
import { type ProbedWorkingCopy, probeWorkingCopy } from '../run/probe-working-copy.js'
import { type Check, ok, skipped, warning } from './check.js'

/** How a run would keep the newest backup as it is, how far it would be shut off, and why not in a better way. */
export async function checkWorkingCopy({ root, backups }: Catalog, context: Context): Promise<Check[]> {
  const newest = backups.find(({ state }) => state === 'whole')
  if (!newest) return [skipped('working copy', 'can be checked once there is a backup')]
  try {
    const probed = await probeWorkingCopy(await materialise(newest, context), root, context)
    return [workingCopyOf(probed), sandboxOf(probed)]
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return [warning('working copy', error.message, error.hint ?? null)]
  }
}

function workingCopyOf({ kind, obstacles }: ProbedWorkingCopy): Check {
  if (kind === 'overlay')
    return ok('working copy', 'overlay: runs start at once, and copy a file when they first open it')
  const text = `${kind}, because there is ${obstacles.join('; ')}`
  if (kind === 'reflink') return ok('working copy', text)
  return warning('working copy', `full ${text}`, remedyFor(obstacles.join('; ')))
}

function sandboxOf({ enclosure, gap = '' }: ProbedWorkingCopy): Check {
  if (enclosure === 'closed')
    return ok('sandbox', 'what a backup starts in a run or a proof is shut off from this machine')
  const open = enclosure === 'networked' ? 'the network' : 'all that you can reach'
  return warning(
    'sandbox',
    `what a backup starts in a run or a proof can reach ${open}: ${gap}`,
    remedyFor(gap),
  )
}

/** Which setting forbids user namespaces depends on the distribution. */
function remedyFor(obstacles: string): string | null {
  if (!/user namespaces are forbidden|^unshare: /m.test(obstacles)) return null
  return [
    'Allow user namespaces, as root, with the setting that this system has:',
    '  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    # Ubuntu',
    '  sysctl -w kernel.unprivileged_userns_clone=1                # Debian',
    '  sysctl -w user.max_user_namespaces=10000                    # RHEL',
  ].join('\n')
}
