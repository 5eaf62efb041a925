import type { ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { furtherBackups } from '../recovery/recovery-plan.js'
import { formatBytes } from '../text/format.js'
import type { OwnRunDirectory } from './directory/run-directory.js'
import { type EnclosedServer, startEnclosed } from './enclosure/start-enclosed.js'
import type { RunRequest } from './run-request.js'
import { serverCommand } from './server-command.js'
import { tryMethods } from './try-methods.js'
import { remedyFor } from './working-copy/remedy.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy/working-copy.js'

/** Above this, a full copy is not begun without being asked for. */
const askAbove = 1024 ** 3

export interface LaunchedServer extends EnclosedServer {
  directory: OwnRunDirectory
  kind: WorkingCopyKind
  /** Whether files that are copied share their blocks with the backup's. */
  hasReflinks: boolean
}

/** Takes the first method that works, and says why the better ones do not. */
export async function launchServer(
  request: RunRequest,
  port: number,
  context: Context,
): Promise<LaunchedServer> {
  const { found, obstacles, hasReflinks } = await tryMethods(
    { ...request, archives: furtherBackups(request.recovery) },
    async (method, run, betterOnes) => {
      if (method.kind === 'copy' && request.workingCopy === 'auto')
        await agreeToCopy(request.backup, betterOnes, context)
      // What is not all there is not copied.
      if (!method.access.mounts) await request.complete
      return tryMethod(method, { ...request, run, port }, context)
    },
    context,
  )
  if (!found) throw noWay(request, obstacles)
  sayOfMethod(found.kind, { obstacles, hasReflinks }, context)
  return { ...found.result, directory: found.run, kind: found.kind, hasReflinks }
}

/** What another way would have saved. A thin copy costs as little as reflinks, which most file systems do not have. */
function sayOfMethod(
  kind: WorkingCopyKind,
  { obstacles, hasReflinks }: { obstacles: string[]; hasReflinks: boolean },
  { progress }: Context,
): void {
  if (obstacles.length === 0 || kind === 'copy') return
  const reasons = obstacles.join('; ')
  if (kind === 'thin') progress.detail(`Blocks are read where they lie: ${reasons}`)
  else if (hasReflinks) progress.say(`The snapshot is cloned: ${reasons}`)
  else progress.say(`Files are copied in full when they are first opened: ${reasons}`)
}

function noWay({ workingCopy }: RunRequest, obstacles: string[]): PgbkError {
  const remedy = remedyFor(obstacles)
  const others =
    workingCopy === 'auto'
      ? roomHint
      : `Without --working-copy ${workingCopy} pgbk uses the first way that works.`
  return new PgbkError('failed', `no working copy can be made: ${obstacles.join('; ')}`, {
    hint: remedy === undefined ? others : `${remedy}\n${others}`,
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

async function agreeToCopy(
  backup: ReadableBackup,
  obstacles: readonly string[],
  context: Context,
): Promise<void> {
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
