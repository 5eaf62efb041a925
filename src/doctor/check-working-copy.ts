import type { Catalog } from '../catalog/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { materialise } from '../forms/materialise.js'
import { type ProbedWorkingCopy, probeWorkingCopy } from '../run/probe-working-copy.js'
import { remedyFor } from '../run/working-copy/remedy.js'
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

function workingCopyOf({ kind, obstacles, hasReflinks }: ProbedWorkingCopy): Check {
  const because = `because there is ${obstacles.join('; ')}`
  const remedy = remedyFor(obstacles) ?? null
  if (kind === undefined) return warning('working copy', obstacles.join('; '), remedy)
  if (kind === 'thin')
    return ok('working copy', 'thin: runs start at once, read the backup in place and keep what they change')
  if (kind === 'overlay' && hasReflinks)
    return ok(
      'working copy',
      "overlay: runs start at once, and share the backup's blocks until they change them",
    )
  if (kind === 'overlay')
    return warning('working copy', `overlay, which copies a file when it is first opened, ${because}`, remedy)
  if (kind === 'reflink') return ok('working copy', `${kind}, ${because}`)
  return warning('working copy', `full ${kind}, ${because}`, remedy)
}

function sandboxOf({ enclosure, gap = '' }: ProbedWorkingCopy): Check {
  if (enclosure === 'closed')
    return ok('sandbox', 'what a backup starts in a run or a proof is shut off from this machine')
  const open = enclosure === 'networked' ? 'the network' : 'all that you can reach'
  return warning(
    'sandbox',
    `what a backup starts in a run or a proof can reach ${open}: ${gap}`,
    remedyFor([gap]) ?? null,
  )
}
