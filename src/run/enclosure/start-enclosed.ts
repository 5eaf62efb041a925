import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ReadableBackup } from '../../catalog/backup.js'
import { rootLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { factsOf } from '../../errors.js'
import { withoutRights } from '../../postgres/local/server-process.js'
import { hasProc } from '../../system/process/process-table.js'
import { removeWhenOver } from '../directory/end-run.js'
import { type OwnRunDirectory, runArgument } from '../directory/run-directory.js'
import type { WorkingCopyAccess } from '../working-copy/working-copy.js'
import { holdPort } from './held-port.js'
import {
  directoriesToHide,
  type Enclosure,
  installationOf,
  namespacesFor,
  type SandboxView,
} from './namespaces.js'
import { type Companion, type SupervisedServer, supervise } from './supervisor.js'

/** Whether a run is to be shut off from this machine: where that can be had, or not at all. */
export type SandboxMode = 'auto' | 'off'

interface EnclosedRequest {
  backup: ReadableBackup
  root: string
  run: OwnRunDirectory
  access: WorkingCopyAccess
  sandbox: SandboxMode
  command: string[]
  /** The path of the server program, whose installation it needs. */
  postgres: string | undefined
  /** Directories of WAL archives that it reads. */
  archives: string[]
  /** Of its socket; undefined when no server is to be started. */
  port: number | undefined
  /** The port at which programs outside reach it; undefined when none has to. */
  outerPort: number | undefined
  /** See `RunRequest`. */
  complete?: Promise<void> | undefined
}

export interface EnclosedServer {
  server: SupervisedServer
  enclosure: Enclosure
  /** Why it is not closed although that was asked for, in plain words. */
  gap: string | undefined
}

/**
 * Starts a server on a working copy, in a sandbox where that is asked for and can be had.
 * @throws {PgbkError} `failed` when it could not even be called, with what its set-up said.
 */
export async function startEnclosed(request: EnclosedRequest, context: Context): Promise<EnclosedServer> {
  if (request.sandbox === 'off') return { ...(await start('open', request, context)), gap: undefined }
  if (!hasProc()) return { ...(await start('open', request, context)), gap: 'this system has none' }
  let gap: string | undefined
  for (const enclosure of ['closed', 'networked'] as const) {
    try {
      return { ...(await start(enclosure, request, context)), gap }
    } catch (error) {
      context.signal.throwIfAborted()
      const why = sandboxFailure(factsOf(error).said ?? '')
      if (why === undefined) throw error
      gap ??= why
    }
  }
  return { ...(await start('open', request, context)), gap }
}

/** Why the sandbox could not be built; undefined when something else has failed. */
function sandboxFailure(said: string): string | undefined {
  if (!/^(?:sandbox|unshare): |unshare: (?:command )?not found/m.test(said)) return undefined
  return said.replaceAll(/^sandbox: /gm, '').replaceAll('\n', '; ')
}

async function start(
  enclosure: Enclosure,
  request: EnclosedRequest,
  context: Context,
): Promise<Omit<EnclosedServer, 'gap'>> {
  const { run, access, command, outerPort } = request
  // A link among the data leads nowhere in a sandbox.
  if (enclosure !== 'closed') await request.complete
  const held = enclosure === 'closed' && outerPort !== undefined ? await holdPort(outerPort) : undefined
  try {
    const namespaces = namespacesFor(enclosure, access, viewOf(request, context))
    const server = await supervise({
      namespaces,
      companion:
        held && outerPort !== undefined ? relayTo(outerPort, held.descriptor, run, context) : undefined,
      fileServer: access.hasFileServer ? fileServerFor(run, context) : undefined,
      cleanUp: removeWhenOver,
      sockets: run.sockets,
      dropping: withoutRights(namespaces.outer.includes('--user')),
      command,
      cwd: run.layout.directory,
      log: run.layout.log,
      env: context.env,
      signal: context.signal,
    })
    return { server, enclosure }
  } finally {
    held?.release()
  }
}

function relayTo(port: number, descriptor: number, { layout }: OwnRunDirectory, context: Context): Companion {
  const [node = ''] = context.self
  const relay = fileURLToPath(new URL('./relay.js', import.meta.url))
  return { command: [node, relay, String(port), runArgument(layout.directory)], descriptor }
}

function fileServerFor({ layout }: OwnRunDirectory, { self }: Context): [string, string, string] {
  const [node = ''] = self
  const program = fileURLToPath(new URL('./file-server.js', import.meta.url))
  return [node, program, runArgument(layout.directory)]
}

function viewOf(
  { backup, root, run, postgres, port, archives }: EnclosedRequest,
  { env, user }: Context,
): SandboxView {
  const libraries = (env.LD_LIBRARY_PATH ?? '').split(':').filter((path) => path.startsWith('/'))
  const further = [...libraries, ...archives.filter((path) => !path.startsWith(`${backup.directory}/`))]
  const hidden = directoriesToHide([env.HOME ?? '', user().home, root])
  const programs = postgres === undefined ? [] : installationOf(postgres, hidden)
  return {
    user: user(),
    sockets: run.sockets,
    postgres,
    port,
    image: backup.image,
    backups: rootLayout(root).backups,
    readable: [...programs, backup.directory, ...new Set(further.filter((path) => existsSync(path)))],
    hidden,
  }
}

/** Says what a server that was to be shut off can reach all the same. */
export function sayGap(
  { enclosure, gap }: Pick<EnclosedServer, 'enclosure' | 'gap'>,
  { progress }: Context,
): void {
  if (gap === undefined) return
  const extent = enclosure === 'open' ? 'all that you can reach' : 'the network of this machine'
  progress.say(`The server runs without its sandbox (${gap}): what is in the data can reach ${extent}.`)
}
