import type { ReadableBackup } from '../catalog/backup.js'
import { checkStillThere } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { furtherBackups } from '../recovery/recovery-plan.js'
import { formatBytes } from '../text/format.js'
import { endRun } from './directory/end-run.js'
import { makeRunDirectory } from './directory/make-run-directory.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import { type EnclosedServer, startEnclosed } from './enclosure/start-enclosed.js'
import type { RunRequest } from './run-request.js'
import { serverCommand } from './server-command.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy/working-copy.js'
import { methodsFor } from './working-copy/working-copy-methods.js'

/** Above this, a full copy is not begun without being asked for. */
const askAbove = 1024 ** 3

export interface LaunchedServer extends EnclosedServer {
  directory: OwnRunDirectory
  kind: WorkingCopyKind
}

/** Takes the first method that works, and says why the better ones do not. */
export async function launchServer(
  request: RunRequest,
  port: number,
  context: Context,
): Promise<LaunchedServer> {
  const obstacles: string[] = []
  for (const method of methodsFor(request.workingCopy)) {
    if (method.kind === 'copy' && request.workingCopy === 'auto')
      await agreeToCopy(request.backup, obstacles, context)
    // What is not all there is not copied.
    if (!method.access.mounts) await request.complete
    const further = furtherBackups(request.recovery)
    const directory = makeRunDirectory(request.backup, request.root, context, further)
    try {
      // From its marker on no delete takes the backup away: one that has looked before has begun by now.
      checkStillThere(request.backup)
      const obstacle = await tryMethod(method, { ...request, run: directory, port }, context)
      if (typeof obstacle !== 'string') {
        if (method.kind === 'reflink' && obstacles.length > 0)
          context.progress.say(`The snapshot is cloned: ${obstacles.join('; ')}`)
        return { directory, ...obstacle, kind: method.kind }
      }
      obstacles.push(`no ${method.kind}: ${obstacle}`)
      await endRun(directory, context)
    } catch (error) {
      await endRun(directory, context)
      throw error
    }
  }
  throw new PgbkError('failed', `no working copy can be made: ${obstacles.join('; ')}`, {
    hint:
      request.workingCopy === 'auto'
        ? roomHint
        : `Without --working-copy ${request.workingCopy} pgbk uses the first way that works.`,
  })
}

const roomHint = 'Make room, or set XDG_CACHE_HOME to a directory on an ordinary file system.'

/** The server, or the reason why this way cannot be gone. */
async function tryMethod(
  method: WorkingCopyMethod,
  request: RunRequest & { run: OwnRunDirectory; port: number },
  context: Context,
): Promise<EnclosedServer | string> {
  const { backup, root, run, sandbox, programs, recovery, hasPort, port } = request
  const { access } = method
  const obstacle = await method.prepare({ snapshot: backup.snapshot, run }, context)
  if (obstacle !== undefined) return obstacle
  const command = await serverCommand(request, run, port, context)
  try {
    return await startEnclosed(
      {
        ...{ backup, root, run, command, sandbox, postgres: programs.postgres },
        access,
        archives: recovery.recovery?.archives.map(({ directory }) => directory) ?? [],
        port,
        outerPort: hasPort ? port : undefined,
        complete: request.complete,
      },
      context,
    )
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    await request.complete // what a backup lacks is no obstacle of this way
    return method.explain(error.facts.said || error.message)
  }
}

async function agreeToCopy(backup: ReadableBackup, obstacles: string[], context: Context): Promise<void> {
  const size = formatBytes(backup.logicalBytes)
  context.progress.say(`The snapshot has to be copied in full (${size}): ${obstacles.join('; ')}`)
  if (backup.logicalBytes <= askAbove) return
  if (!context.ask) {
    throw new PgbkError('usage', `a full copy of ${size} would be needed: ${obstacles.join('; ')}`, {
      hint: 'If that is intended, use --working-copy copy.',
    })
  }
  if (!(await context.ask(`Copy ${size}?`))) throw new PgbkError('failed', 'nothing was started')
}
