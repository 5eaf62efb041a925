import type { ReadableBackup } from '../catalog/backup.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { ownerFault } from '../start-up/check-owner.js'
import { endRun } from './directory/end-run.js'
import { makeRunDirectory } from './directory/make-run-directory.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import { remedyFor } from './working-copy/remedy.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy/working-copy.js'
import { methodsFor, type WorkingCopyWish } from './working-copy/working-copy-methods.js'

interface TryRequest extends WorkingCopyWish {
  backup: ReadableBackup
  root: string
  /** Other backups that the run needs. */
  archives?: string[]
}

export interface TriedMethods<T> {
  /** What the attempt gave, with its directory; undefined when none has worked. */
  found: { kind: WorkingCopyKind; run: OwnRunDirectory; result: T } | undefined
  /** Why the better ways cannot be gone. */
  obstacles: string[]
  /** Whether files that are copied share their blocks with the backup's. */
  hasReflinks: boolean
}

/**
 * Tries the ways to a working copy that a wish leaves, the best one first, each in a run's directory of its own; those of the ways that do
 * not work are removed.
 * @param attempt returns why a way cannot be gone, or what it gives.
 * @throws what it throws, and as `makeRunDirectory`; {PgbkError} `failed` where the files belong to somebody else, and no thin copy
 * can be had; no directory is left then.
 */
export async function tryMethods<T extends object>(
  request: TryRequest,
  attempt: (
    method: WorkingCopyMethod,
    run: OwnRunDirectory,
    obstacles: readonly string[],
  ) => Promise<T | string>,
  context: Context,
): Promise<TriedMethods<T>> {
  const { backup, root, archives } = request
  let choice: Awaited<ReturnType<typeof choose>> | undefined
  for (let n = 0; ; n++) {
    const run = makeRunDirectory(backup, root, context, archives)
    try {
      // From its marker on no delete takes the backup away: one that has looked before has begun by now.
      checkStillThere(backup)
      choice ??= await choose(request, run, context)
      const { methods, obstacles, hasReflinks, fault } = choice
      const method = methods[n]
      const result = method && (await attempt(method, run, obstacles))
      if (method && typeof result === 'object')
        return { found: { kind: method.kind, run, result }, obstacles, hasReflinks }
      await endRun(run, context)
      if (!method && fault) throw withObstacles(fault, obstacles)
      if (!method) return { found: undefined, obstacles, hasReflinks }
      obstacles.push(`no ${method.kind}: ${result}`)
    } catch (error) {
      await endRun(run, context)
      throw error
    }
  }
}

/** @throws {PgbkError} `failed` when it asks for a way that only the owner of the files can go. */
async function choose(request: TryRequest, run: OwnRunDirectory, context: Context) {
  const { backup, workingCopy } = request
  const isThin = workingCopy === 'thin'
  const fault = isThin ? undefined : ownerFault(backup, context)
  if (fault && workingCopy !== 'auto') throw fault
  const wish = fault ? { ...request, workingCopy: 'thin' as const } : request
  const { snapshot } = backup
  return { ...(await methodsFor(wish, { snapshot, run }, context.signal)), fault }
}

function withObstacles(fault: PgbkError, obstacles: string[]): PgbkError {
  const hint = [
    fault.hint,
    `A thin working copy would do without that: ${obstacles.join('; ')}`,
    remedyFor(obstacles),
  ]
  return new PgbkError(fault.code, fault.message, {
    hint: hint.filter((one) => one !== undefined).join('\n'),
  })
}
