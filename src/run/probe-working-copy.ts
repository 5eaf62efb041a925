import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { choosePort } from '../postgres/local/port.js'
import { checkOwner } from '../start-up/check-owner.js'
import { endRun } from './directory/end-run.js'
import { makeRunDirectory } from './directory/make-run-directory.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import type { Enclosure } from './enclosure/namespaces.js'
import { startEnclosed } from './enclosure/start-enclosed.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy/working-copy.js'
import { workingCopyMethods } from './working-copy/working-copy-methods.js'

export interface ProbedWorkingCopy {
  /** The best way that works here. */
  kind: WorkingCopyKind
  /** Why the better ones do not. */
  obstacles: string[]
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
  checkOwner(backup, context)
  const obstacles: string[] = []
  for (const method of workingCopyMethods) {
    const run = makeRunDirectory(backup, root, context)
    try {
      const found = await tryMethod(method, { backup, root, run }, context)
      if (typeof found !== 'string') return { ...found, kind: method.kind, obstacles }
      obstacles.push(`no ${method.kind}: ${found}`)
    } finally {
      await endRun(run, context)
    }
  }
  return { kind: 'copy', obstacles, enclosure: 'open', gap: undefined }
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
  const request = { snapshot: kind === 'overlay' ? snapshot : small, run }
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
