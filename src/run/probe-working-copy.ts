import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { choosePort } from '../postgres/local/port.js'
import { endRun } from './directory/end-run.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import type { Enclosure } from './enclosure/namespaces.js'
import { startEnclosed } from './enclosure/start-enclosed.js'
import { tryMethods } from './try-methods.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy/working-copy.js'

export interface ProbedWorkingCopy {
  /** The best way that works here. */
  kind: WorkingCopyKind | undefined
  /** Why the better ones do not. */
  obstacles: string[]
  /** Whether files that are copied share their blocks with the backup's. */
  hasReflinks: boolean
  /** How far a run would be shut off, and why not further. */
  enclosure: Enclosure
  gap: string | undefined
}

/** Tries the ways to a working copy, as a run would, in a marked directory that is removed again; no server is started. */
export async function probeWorkingCopy(
  backup: ReadableBackup,
  root: string,
  context: Context,
): Promise<ProbedWorkingCopy> {
  const { found, ...others } = await tryMethods(
    { backup, root, workingCopy: 'auto' },
    (method, run) => tryMethod(method, { backup, root, run }, context),
    context,
  )
  if (!found) return { kind: undefined, enclosure: 'open', gap: undefined, ...others }
  await endRun(found.run, context)
  return { ...found.result, kind: found.kind, ...others }
}

/** How far it is shut off, or why this way cannot be gone. */
async function tryMethod(
  method: WorkingCopyMethod,
  { backup, root, run }: { backup: ReadableBackup; root: string; run: OwnRunDirectory },
  context: Context,
): Promise<Pick<ProbedWorkingCopy, 'enclosure' | 'gap'> | string> {
  // A few small files tell as much as the whole snapshot.
  const { snapshot, conf: small } = snapshotOf(backup)
  const { kind, access } = method
  const request = { snapshot: kind === 'reflink' ? small : snapshot, run }
  // A copy can always be made, if there is room.
  const obstacle = kind === 'copy' ? undefined : await method.prepare(request, context)
  if (obstacle !== undefined) return obstacle
  try {
    const own = { backup, root, run, access, sandbox: 'auto' as const, command: ['true'] }
    const { server, enclosure, gap } = await startEnclosed(
      { ...own, postgres: undefined, archives: [], port: undefined, outerPort: await choosePort() },
      context,
    )
    await server.stop(context)
    return { enclosure, gap }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return method.explain(error.facts.said || error.message)
  }
}
