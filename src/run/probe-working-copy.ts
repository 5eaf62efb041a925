import type { Backup } from '../backup/catalog.js'
import { type Owner, ownerOf } from '../backup/owner.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { asOwner, serverEnvironment } from '../postgres/server-process.js'
import { endRun } from './end-run.js'
import { makeRunDirectory, type RunDirectory } from './run-directory.js'
import { supervise } from './supervisor.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy.js'
import { workingCopyMethods } from './working-copy-methods.js'

export interface ProbedWorkingCopy {
  /** The best way that works here. */
  kind: WorkingCopyKind
  /** Why the better ones do not. */
  obstacles: string[]
}

/** Tries the ways to a working copy, as a run would, in a marked directory that is removed again; no server is started. */
export async function probeWorkingCopy(
  backup: Backup,
  root: string,
  context: Context,
): Promise<ProbedWorkingCopy> {
  const owner = ownerOf(backup, context)
  const obstacles: string[] = []
  for (const method of workingCopyMethods) {
    if (method.kind === 'copy') break
    const run = makeRunDirectory(backup, root, owner, context)
    try {
      const obstacle = await tryMethod(method, backup, run, owner, context)
      if (obstacle === undefined) return { kind: method.kind, obstacles }
      obstacles.push(`no ${method.kind}: ${obstacle}`)
    } finally {
      await endRun(run)
    }
  }
  return { kind: 'copy', obstacles }
}

async function tryMethod(
  method: WorkingCopyMethod,
  backup: Backup,
  run: RunDirectory,
  owner: Owner,
  context: Context,
): Promise<string | undefined> {
  // A few small files tell as much as the whole snapshot.
  const small = Object.create(backup, {
    layout: { value: { ...backup.layout, snapshot: backup.layout.conf } },
  }) as Backup
  const request = { backup: method.kind === 'reflink' ? small : backup, run, owner }
  const obstacle = await method.prepare(request, context)
  if (obstacle !== undefined) return obstacle
  try {
    const server = await supervise({
      ...method.launch(request, context),
      dropping: asOwner(owner, context),
      command: ['true'],
      cwd: run.layout.directory,
      log: run.layout.log,
      env: serverEnvironment(context),
      signal: context.signal,
    })
    await server.stop()
    return undefined
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return method.explain(error.message)
  }
}
